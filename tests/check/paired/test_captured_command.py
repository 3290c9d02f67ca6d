import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from liecbench.check.paired.captured_command import run_captured
from tests.waiting import wait_for


def test_output_and_exit_status_are_those_of_the_command(tmp_path: Path) -> None:
    done = run_captured(["sh", "-c", "pwd; echo $WORD >&2; exit 3"], tmp_path, {**os.environ, "WORD": "said"})

    assert (done.returncode, done.stdout, done.stderr) == (3, f"{tmp_path}\n", "said\n")


def test_a_command_that_dies_of_a_signal_has_the_status_that_shells_give(tmp_path: Path) -> None:
    assert run_captured(["sh", "-c", "kill -SEGV $$"], tmp_path).returncode == 128 + signal.SIGSEGV


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_command_and_its_children_die_with_the_process_that_runs_it(tmp_path: Path, number: signal.Signals) -> None:
    # The shell's child is no child of the shell's parent, as a build's processes are not of liecbench.
    script = "sleep 600 & echo $$ $! > pids.part; mv pids.part pids; wait"
    code = (
        "import pathlib; from liecbench.check.paired.captured_command import run_captured; "
        f"run_captured(['sh', '-c', {script!r}], pathlib.Path())"
    )
    command = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    wait_for((tmp_path / "pids").exists, "the command has begun")
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert [lives(pid) for pid in pids] == [True, True]
    command.send_signal(number)
    command.wait()

    wait_for(lambda: not any(map(lives, pids)), "the command and its child have died")


def lives(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False
