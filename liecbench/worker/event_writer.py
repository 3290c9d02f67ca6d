"""Rank 0's output: events, which the command shows as progress, and records, which the ledger keeps."""

import time
from pathlib import Path
from typing import SupportsFloat

from liecbench.launch.channel import encode
from liecbench.launch.messages import Event, Heartbeat, Notice, StepProgress, TimingProgress
from liecbench.results.ledger import Ledger
from liecbench.results.records import Record

_PROGRESS_SECONDS = 1.0


class EventWriter:
    """The write end of the pipe for a launch's events; it sends progress and heartbeats at most once per second."""

    def __init__(self, events: Path) -> None:
        self._events = events.open("a")
        self._last_progress = 0.0

    def send(self, event: Event) -> None:
        """Send one event."""
        self._events.write(encode(event) + "\n")
        self._events.flush()

    def progress(self, cell: str, epoch: int, step: int, num_steps: int, loss: SupportsFloat) -> None:
        """Send the progress of an epoch, unless progress or a heartbeat was sent within the last second.

        ``loss`` is read only if the event is sent, because reading it from a GPU waits for the GPU.
        """
        if self._is_due():
            self.send(StepProgress(cell=cell, epoch=epoch, step=step, steps=num_steps, loss=float(loss)))

    def turn(self, cell: str, number: int, num_rounds: int) -> None:
        """Tell that the turn of ``cell`` in round ``number`` of ``num_rounds`` begins."""
        self.send(TimingProgress(cell=cell, round=number, rounds=num_rounds))

    def notice(self, text: str) -> None:
        """Send a warning that changes no result."""
        self.send(Notice(text=text))

    def heartbeat(self) -> None:
        """Tell that this rank makes progress, unless progress or a heartbeat was sent within the last second."""
        if self._is_due():
            self.send(Heartbeat())

    def _is_due(self) -> bool:
        now = time.monotonic()
        due = now - self._last_progress >= _PROGRESS_SECONDS
        self._last_progress = now if due else self._last_progress
        return due


class RecordWriter(EventWriter):
    """Rank 0's output in a training launch: records go to ledger and command, other events only to the command."""

    def __init__(self, ledger: Ledger, events: Path) -> None:
        super().__init__(events)
        self._ledger = ledger

    def record(self, record: Record) -> None:
        """Append a record to the ledger, then send it."""
        self._ledger.append(record)
        self.send(record)
