"""Rank 0's outlets: events, which the command shows as progress, and the ledger, which keeps the records."""

import time
from pathlib import Path
from typing import SupportsFloat

from liecbench.launch.channel import encode
from liecbench.launch.messages import Event, Heartbeat, Notice, StepProgress, TimingProgress
from liecbench.results.ledger import Ledger
from liecbench.results.records import Record

_PROGRESS_SECONDS = 1.0


class EventWriter:
    """The write end of a launch's events; it sends at most one sign of progress per second."""

    def __init__(self, events: Path) -> None:
        self._events = events.open("a")
        self._last_progress = 0.0

    def send(self, event: Event) -> None:
        """Send one event."""
        self._events.write(encode(event) + "\n")
        self._events.flush()

    def progress(self, cell: str, epoch: int, step: int, num_steps: int, loss: SupportsFloat) -> None:
        """Send the progress of an epoch, unless the last event is too recent.

        Only then is ``loss`` read, which waits for a GPU.
        """
        if self._is_due():
            self.send(StepProgress(cell=cell, epoch=epoch, step=step, steps=num_steps, loss=float(loss)))

    def timed(self, cell: str, kind: str, num_steps: int, mean_seconds: float) -> None:
        """Send the progress of timing one kind of steps."""
        self.send(TimingProgress(cell=cell, kind=kind, steps=num_steps, mean_seconds=mean_seconds))

    def notice(self, text: str) -> None:
        """Send a warning that changes no result."""
        self.send(Notice(text=text))

    def heartbeat(self) -> None:
        """Send a sign of life when no step does, at most once per second."""
        if self._is_due():
            self.send(Heartbeat())

    def _is_due(self) -> bool:
        now = time.monotonic()
        due = now - self._last_progress >= _PROGRESS_SECONDS
        self._last_progress = now if due else self._last_progress
        return due


class RecordWriter(EventWriter):
    """Rank 0's outlet of a training launch: records go to the ledger and to the command, other events only to it."""

    def __init__(self, ledger: Ledger, events: Path) -> None:
        super().__init__(events)
        self._ledger = ledger

    def record(self, record: Record) -> None:
        """Append a record to the ledger, then send it."""
        self._ledger.append(record)
        self.send(record)
