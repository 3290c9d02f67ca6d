"""A supervisor process under test, its events and its output."""

import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from liecbench.launch.supervisor import Orders
from tests.process_tree import ROOT, Tree
from tests.waiting import TIMEOUT_SECONDS


class Events:
    """The JSON lines that arrive on a pipe, read with a time limit."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._buffer = descriptor, b""

    def next(self, seconds: float = TIMEOUT_SECONDS) -> dict[str, Any] | None:
        """Return the next event, or None when every writer has closed the pipe."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._descriptor], [], [], left)[0]:
                raise AssertionError(f"no event within {seconds} s")
            chunk = os.read(self._descriptor, 2**16)
            if not chunk:
                return None
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        event: dict[str, Any] = json.loads(line)
        return event


@dataclass(slots=True)
class Supervised:
    """A running supervisor."""

    tree: Tree
    process: subprocess.Popen[bytes]
    events: Events
    output: IO[bytes]

    def next_event(self, seconds: float = TIMEOUT_SECONDS) -> dict[str, Any]:
        event = self.events.next(seconds)
        assert event is not None, f"it ended with {self.process.wait(TIMEOUT_SECONDS)}: {self.printed()}"
        return event

    def go_on(self) -> None:
        """Close the command's standard input: test commands wait for that before they continue."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def status(self) -> int:
        return self.process.wait(TIMEOUT_SECONDS)

    def printed(self) -> str:
        self.output.seek(0)
        return self.output.read().decode(errors="replace")


@contextmanager
def supervise(
    command: Sequence[str], num_links: int, *, prefix: Sequence[str] = (), isolate: bool = True
) -> Iterator[Supervised]:
    """Start a supervisor as ``launch`` does, through the command ``prefix`` if one is given, and end it afterwards."""
    tree = Tree()
    reading, writing = os.pipe()
    orders = Orders(parent=os.getpid(), events=writing, num_links=num_links, command=list(command), isolate=isolate)
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [*prefix, *orders.arguments()],
            cwd=ROOT,
            env=tree.environment(),
            pass_fds=(writing,),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        os.close(writing)
        try:
            with process:
                try:
                    yield Supervised(tree, process, Events(reading), output)
                finally:
                    process.kill()
        finally:
            os.close(reading)
            tree.end()
