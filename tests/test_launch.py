from pathlib import Path
from typing import Any

import pytest

from liecbench.cell import Cell, Job
from liecbench.launch import Launch, Torchrun, group, log_tail, start_torchrun
from liecbench.supervisor import HUB_ADDRESS
from tests.ledgers import spec


def job(**changes: Any) -> Job:
    return Job(cell=Cell.from_spec(spec(**changes)))


def test_cells_with_the_same_workers_share_a_launch_whatever_their_rates() -> None:
    jobs = [job(), job(link="5mbit"), job(workers=4), job(seed=1)]

    assert [launch.jobs for launch in group(jobs)] == [(jobs[0], jobs[1], jobs[3]), (jobs[2],)]


def test_an_unshaped_cell_runs_on_the_loopback_whatever_else_is_run() -> None:
    jobs = [job(link="none"), job()]

    assert [(launch.jobs, launch.shaped) for launch in group(jobs)] == [((jobs[0],), False), ((jobs[1],), True)]


@pytest.mark.parametrize(("link", "address"), [("none", "127.0.0.1"), ("20mbit", HUB_ADDRESS)])
def test_a_launch_is_a_torchrun_that_can_be_read_before_it_runs(link: str, address: str) -> None:
    launch = Launch(jobs=(job(link=link, workers=3, threads=2),))
    words = launch.describe(Path("results/launch 1.json")).split()

    assert words[:2] == ["OMP_NUM_THREADS=2", "PYTHONSAFEPATH=1"]
    assert words[3:7] == ["-m", "torch.distributed.run", "--nnodes=1", "--nproc-per-node=3"]
    assert f"--master-addr={address}" in words
    assert words[-4:] == ["-m", "liecbench.worker", "'results/launch", "1.json'"]


def test_the_end_of_a_log_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "launch-1.log"
    log.write_bytes(b"".join(b"line %d\n" % number for number in range(100)) + b"\xff")

    assert log_tail(log, 2) == "line 99\n\ufffd"


def test_isolated_cells_have_a_launch_each() -> None:
    jobs = [job(), job(link="5mbit"), job(seed=1)]

    assert [(j,) for j in jobs] == [launch.jobs for launch in group(jobs, isolate=True)]


def test_workers_that_say_nothing_for_too_long_are_ended(tmp_path: Path) -> None:
    torchrun = Torchrun(module="tests.silent_rank", workers=1, threads=1, shaped=False)
    heard: list[dict[str, Any]] = []
    waits = iter([60.0, 60.0, 0.5])
    outcome = start_torchrun(
        torchrun, tmp_path / "plan.json", tmp_path / "log", heard.append, patience=lambda: next(waits)
    )

    assert (outcome.silent_seconds, outcome.status != 0) == (0.5, True)
    assert [event["said"] for event in heard if event["type"] == "word"] == ["one", "two"]
