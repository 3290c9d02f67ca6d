"""Run a command, and kill it when the process that started this script ends.

``run_captured`` starts this script as ``python -I -S tied_command.py FD COMMAND...``:

- ``FD`` is the file descriptor of a pipe's read end. Only the process that started this script holds the write end.
- ``COMMAND...`` is the command with its arguments.

This script must lead a process group of its own, because it kills its whole process group. It imports only the standard
library, so that it starts within milliseconds.
"""

import os
import signal
import subprocess
import sys
import threading


def main(parent: int, command: list[str]) -> int:
    """Run ``command`` and return its exit status, which is 128 + N if signal N ended it."""
    process = subprocess.Popen(command)
    threading.Thread(target=_kill_without_parent, args=(parent,), daemon=True).start()
    code = process.wait()
    return code if code >= 0 else 128 - code


def _kill_without_parent(parent: int) -> None:
    os.read(parent, 1)  # returns when the parent has ended
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    os._exit(main(int(sys.argv[1]), sys.argv[2:]))
