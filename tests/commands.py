"""liecbench commands run by tests, each in a process tree of its own."""

import functools
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.process_tree import ROOT, Tree
from tests.waiting import TIMEOUT_SECONDS, WAIT_SECONDS, wait_for

Value = TypeVar("Value")


def command_line(*arguments: str) -> list[str]:
    """Return the command line that runs liecbench with these arguments."""
    return [sys.executable, "-P", "-m", "liecbench", *arguments]


def run_command(
    tree: Tree, *arguments: str, prefix: Sequence[str] = (), seconds: float = 5 * TIMEOUT_SECONDS
) -> subprocess.CompletedProcess[str]:
    """Run a liecbench command to its end, through the command ``prefix`` if one is given; it must leave no process."""
    try:
        done = subprocess.run(
            [*prefix, *command_line(*arguments)],
            cwd=ROOT,
            env=tree.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        tree.assert_gone(set())
    finally:
        tree.end()
    return done


@dataclass(slots=True)
class Command:
    """A running liecbench command."""

    tree: Tree
    process: subprocess.Popen[bytes]
    printed: Path

    def wait_for(self, condition: Callable[[], Value], expected: str, seconds: float = WAIT_SECONDS) -> Value:
        """Poll until ``condition()`` is true and return its value; fail at once if the command ends before that."""

        def holds() -> Value:
            ended = self.process.poll() is not None
            value = condition()
            assert value or not ended, f"it ended before {expected}: {self.stderr()}"
            return value

        return wait_for(holds, lambda: f"{expected}; it printed: {self.stderr()}", seconds)

    def stderr(self) -> str:
        return self.printed.read_text(errors="replace")


@contextmanager
def running_command(directory: Path, *arguments: str, prefix: Sequence[str] = ()) -> Iterator[Command]:
    """Start a liecbench command, and kill it at the end of the block if it still runs."""
    tree = Tree()
    printed = directory / f"stderr-{tree.mark}"
    with printed.open("wb") as stderr:
        process = subprocess.Popen(
            [*prefix, *command_line(*arguments)],
            cwd=ROOT,
            env=tree.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            # A shell's background jobs ignore SIGINT, and processes inherit that from pytest.
            preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
    try:
        with process:
            try:
                yield Command(tree, process, printed)
            finally:
                process.kill()
    finally:
        tree.end()
