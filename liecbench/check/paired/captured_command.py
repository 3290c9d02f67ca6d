"""Run a command to its end and capture its output, without leaving processes behind."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from liecbench.check.paired import tied_command


def run_captured(
    command: Sequence[str], directory: Path, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command and return its exit status and output.

    If this process is interrupted or killed, the command and its children are killed, too.
    """
    parent_end, tied_end = reversed(os.pipe())
    with (
        os.fdopen(parent_end, "wb"),
        os.fdopen(tied_end, "rb"),
        subprocess.Popen(
            [sys.executable, "-I", "-S", tied_command.__file__, str(tied_end), *command],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            process_group=0,
            pass_fds=(tied_end,),
        ) as process,
    ):
        try:
            printed, errors = process.communicate()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, printed, errors)
