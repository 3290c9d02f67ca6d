"""Commands that run on a terminal of their own."""

import os
import pty
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


def run_on_terminal(
    arguments: Sequence[object],
    *,
    typed: bytes = b"",
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run ``liecbench`` with standard streams on a terminal, and return what it printed. It must succeed.

    Args:
        arguments: The command's arguments.
        typed: What is typed at its beginning.
        directory: The working directory; None for this process's.
        environment: All environment variables; None for this process's.
    """
    shown, terminal = pty.openpty()
    command = [sys.executable, "-m", "liecbench", *map(str, arguments)]
    child = subprocess.Popen(command, cwd=directory, stdin=terminal, stdout=terminal, stderr=terminal, env=environment)
    os.close(terminal)
    os.write(shown, typed)
    text = b""
    while True:
        try:
            text += os.read(shown, 4096)
        except OSError:  # the terminal's other end is closed
            break
    os.close(shown)
    assert child.wait() == 0, text
    return text.decode()
