"""Run a command, and kill it with all processes of its process group when this process's parent ends.

The process runs this file by its path, with nothing but the standard library, so that it starts within milliseconds. It
must lead a process group of its own. Its arguments are the file descriptor of the read end of a pipe, of which only the
parent holds the write end, and the command.
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
