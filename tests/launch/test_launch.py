from pathlib import Path
from typing import Any

import pytest

from liecbench.config.cell import Cell
from liecbench.config.jobs import Job
from liecbench.launch.channel import decode, encode
from liecbench.launch.launch import Launch, _paths, group
from liecbench.launch.plans import TrainingPlan
from liecbench.network.addresses import HUB_ADDRESS
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


@pytest.mark.parametrize(
    ("changes", "share_gpus", "expected"),
    [
        ({}, False, {"backend": "gloo", "device": "cpu", "share_gpus": False}),
        ({"device": "cuda"}, True, {"backend": "gloo", "device": "cuda", "share_gpus": False}),
        ({"device": "cuda", "backend": "nccl"}, False, {"backend": "nccl", "device": "cuda", "share_gpus": False}),
        ({"device": "cuda", "backend": "nccl"}, True, {"backend": "nccl", "device": "cuda", "share_gpus": True}),
    ],
    ids=str,
)
def test_a_plan_says_where_and_over_what_ranks_meet(
    tmp_path: Path, changes: dict[str, Any], share_gpus: bool, expected: dict[str, Any]
) -> None:
    (launch,) = group([job(**changes)], share_gpus=share_gpus)
    plan = decode(encode(launch.plan(tmp_path, trace=False)), TrainingPlan)

    assert (expected, [job(**changes).cell]) == (
        {name: getattr(plan, name) for name in expected},
        [job.cell for job in plan.jobs],
    )


@pytest.mark.parametrize("link", ["none", "20mbit", "host"])
def test_backends_and_devices_have_launches_of_their_own(link: str) -> None:
    changes: list[dict[str, str]] = [{}, {"device": "cuda"}, {"device": "cuda", "backend": "nccl"}]
    jobs = [job(link=link, **each) for each in changes]

    assert [(j,) for j in jobs] == [launch.jobs for launch in group(jobs)]


def test_logs_are_numbered_whatever_else_is_among_them(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    for name in ("launch-2.log", "launch-9 (copy).log", "launch-old.log", "launch-4.node-1.log", "launch-5.json"):
        (logs / name).touch()

    assert _paths(tmp_path) == (logs / "launch-3.json", logs / "launch-3.log")
    assert _paths(tmp_path, ".node-1") == (logs / "launch-5.node-1.json", logs / "launch-5.node-1.log")


def test_isolated_cells_have_a_launch_each() -> None:
    jobs = [job(), job(link="5mbit"), job(seed=1)]

    assert [(j,) for j in jobs] == [launch.jobs for launch in group(jobs, isolate=True)]
