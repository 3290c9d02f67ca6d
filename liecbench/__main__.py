"""The entry point of ``liecbench`` and of ``python -m liecbench``."""

import os
import signal
from typing import NoReturn

from liecbench.errors import ExitCode


def main() -> NoReturn:
    """Run the ``liecbench`` command. Ctrl-C during the command's imports ends the process without a traceback."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(ExitCode.INTERRUPTED))
    try:
        from liecbench.cli.app import main as run_command
    except BaseException as error:  # a dependency that is broken or too old
        from liecbench.cli.crash_report import exit_unexpectedly

        exit_unexpectedly(error)

    run_command()


if __name__ == "__main__":
    main()
