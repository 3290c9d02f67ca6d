from pathlib import Path

import pytest

from liecbench.launch.events import Event, Notice
from liecbench.launch.torchrun import Torchrun, log_tail, start_torchrun


def test_the_end_of_a_log_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "launch-1.log"
    log.write_bytes(b"".join(b"line %d\n" % number for number in range(100)) + b"\xff")

    assert log_tail(log, 2) == "line 99\n\ufffd"


def test_stalled_workers_are_ended(tmp_path: Path) -> None:
    torchrun = Torchrun(module="tests.silent_rank", workers=1, threads=1, shaped=False)
    events: list[Event] = []
    waits = iter([60.0, 60.0, 0.5])
    outcome = start_torchrun(
        torchrun, tmp_path / "plan.json", tmp_path / "log", events.append, stall_timeout=lambda: next(waits)
    )

    assert (outcome.stalled_seconds, outcome.status != 0) == (0.5, True)
    assert [event.text for event in events if isinstance(event, Notice)] == ["one", "two"]


def test_the_interpreter_and_the_variables_are_those_asked_for(tmp_path: Path) -> None:
    torchrun = Torchrun(
        module="m", workers=2, threads=1, shaped=False, python="/opt/python", variables={"OMP_PROC_BIND": "true"}
    )

    assert torchrun.command(tmp_path)[0] == "/opt/python"
    assert torchrun.environment["OMP_PROC_BIND"] == "true"


def test_an_interpreter_that_is_none_leaves_no_descriptor_open(tmp_path: Path) -> None:
    torchrun = Torchrun(module="m", workers=1, threads=1, shaped=False, python=f"{tmp_path}/none")
    num_open = []
    for _ in range(3):  # the first one may close a template process that is idle
        with pytest.raises(FileNotFoundError):
            start_torchrun(torchrun, tmp_path / "plan.json", tmp_path / "log", print)
        num_open.append(len(list(Path("/proc/self/fd").iterdir())))

    assert num_open == [num_open[0]] * 3
