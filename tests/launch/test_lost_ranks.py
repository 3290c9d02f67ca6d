import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from liecbench.launch.channel import write_plan
from liecbench.launch.events import Event, Lost
from liecbench.launch.lost_ranks import ended_process, first_lost
from liecbench.launch.multinode import Nodes
from liecbench.launch.plans import BenchmarkPlan
from liecbench.launch.torchrun import Torchrun, start_torchrun
from tests.namespace_support import skip_without_namespaces

KILLED = (
    "rank 1: killed by SIGKILL, usually by the kernel because memory ran out: "
    "fewer workers, a smaller batch_size or a smaller model need less"
)


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        ("SIGKILL", KILLED),
        ("SIGSEGV", "rank 1: its process died of SIGSEGV"),
        ("exit", "rank 1: its process ended with exit code 3"),
        ("ValueError", "rank 1: ValueError: no data"),
    ],
)
@pytest.mark.parametrize("shaped", [False, True])
def test_a_dead_rank_is_named_before_those_that_lost_it(
    tmp_path: Path, ending: str, expected: str, shaped: bool
) -> None:
    if shaped:
        skip_without_namespaces()
    (tmp_path / "ending").write_text(ending)
    write_plan(tmp_path / "plan", BenchmarkPlan())
    events: list[Event] = []
    torchrun = Torchrun(module="tests.dying_rank", workers=2, threads=1, shaped=shaped)

    outcome = start_torchrun(torchrun, tmp_path / "plan", tmp_path / "log", events.append)

    lost = [event for event in events if isinstance(event, Lost)]
    assert (outcome.status, first_lost(lost)) == (1, expected)
    assert [each.reason.partition(":")[0] for each in lost if each.cause == "connection"] == ["rank 0"]


@pytest.mark.parametrize(("ending", "expected"), [("SIGKILL", KILLED), ("ValueError", "rank 1: ValueError: no data")])
def test_ranks_are_numbered_over_all_machines(tmp_path: Path, ending: str, expected: str) -> None:
    (tmp_path / "ending").write_text(ending)
    write_plan(tmp_path / "plan", BenchmarkPlan())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    launches = [
        Torchrun(
            module="tests.dying_rank",
            workers=2,
            threads=1,
            shaped=False,
            nodes=Nodes(count=2, rank=machine, address="127.0.0.1", port=port),
        )
        for machine in range(2)
    ]

    def reason(torchrun: Torchrun) -> str:
        events: list[Event] = []
        start_torchrun(torchrun, tmp_path / "plan", tmp_path / f"log-{launches.index(torchrun)}", events.append)
        return first_lost([event for event in events if isinstance(event, Lost)])

    launches[0].prepare()  # the threads must not both start the template process
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(reason, launches)

    assert (first.partition(":")[0], second) == ("rank 0", expected)


def test_among_equals_the_first_counts() -> None:
    lost = [Lost(reason="rank 1: gone", cause="connection"), Lost(reason="rank 0: gone", cause="connection")]

    assert first_lost(lost) == "rank 1: gone"
    assert first_lost([]) == ""


def test_only_the_first_line_of_a_reason_is_told() -> None:
    assert first_lost([Lost(reason="rank 0: one\ntwo")]) == "rank 0: one"


def test_a_signal_without_a_name_has_its_number() -> None:
    assert ended_process(2, -40).reason == "rank 2: its process died of signal 40"
