"""Commands run inside the test's process: quicker than a new one, with the same exit code and output."""

import contextlib
import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

from liecbench.cli.app import main


def run_in_process(
    *arguments: object, directory: Path | None = None, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command as ``liecbench ARGUMENTS`` would.

    Args:
        arguments: The command line after ``liecbench``.
        directory: The working directory; the test's own if None.
        environment: Variables to set while the command runs.

    Returns:
        The exit code and what was printed.
    """
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    command = ["liecbench", *map(str, arguments)]
    printed, errors = io.StringIO(), io.StringIO()
    status: object = None
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(printed))
        stack.enter_context(contextlib.redirect_stderr(errors))
        stack.enter_context(contextlib.chdir(directory or Path.cwd()))
        stack.enter_context(patch.dict(os.environ, {"COLUMNS": "200", **(environment or {})}))
        stack.enter_context(patch.object(sys, "argv", command))
        try:
            main()
        except SystemExit as end:
            status = end.code
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
    assert status is None or isinstance(status, int), status
    return subprocess.CompletedProcess(command, int(status or 0), printed.getvalue(), errors.getvalue())
