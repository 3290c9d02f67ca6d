"""Several commands in one new process, one after the other: one that imports torch for itself alone takes seconds.

It is for tests whose commands need an import path of their own; others use ``run_in_process``.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.in_process import run_in_process
from tests.short_sessions import shorten


def run_in_one_process(
    commands: Sequence[Sequence[str]], directory: Path, path: Path, seconds: float = 300
) -> list[subprocess.CompletedProcess[str]]:
    """Run commands in ``directory``, as the installed command does, with ``path`` among their imports.

    Args:
        commands: The command lines after ``liecbench``. Their ranks have short timing sessions.
        directory: The working directory.
        path: The directory to import from before all others.
        seconds: The time limit of all commands together.

    Returns:
        The exit code of each command and what it printed.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-m", "tests.one_process"],
        input="".join(f"{json.dumps(list(words))}\n" for words in commands),
        env={**os.environ, "PYTHONPATH": str(path), "NO_COLOR": "1"},
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return [subprocess.CompletedProcess(list(words), *answer) for words, answer in zip(commands, answers, strict=True)]


def main() -> None:
    """Run a command for each line of standard input, and print its exit code and output as a line."""
    shorten(pytest.MonkeyPatch())
    for line in sys.stdin:
        done = run_in_process(*json.loads(line))
        print(json.dumps([done.returncode, done.stdout, done.stderr]), flush=True)


if __name__ == "__main__":
    main()
