"""Rank 0's output: events for the ``liecbench`` command, which shows progress, and records for ``records.jsonl``."""

import time
from pathlib import Path
from typing import SupportsFloat

from liecbench.launch.channel import encode
from liecbench.launch.events import Event, Heartbeat, Notice, StepProgress, TimingProgress
from liecbench.results.ledger import Ledger
from liecbench.results.records import Record

_PROGRESS_SECONDS = 1.0


class EventWriter:
    """A writer of events to a pipe that the ``liecbench`` command reads.

    Together, ``progress`` and ``heartbeat`` send at most one event per second. Other events are always sent.
    """

    def __init__(self, events: Path) -> None:
        self._events = events.open("a", encoding="utf-8")
        self._last_progress = 0.0

    def send(self, event: Event) -> None:
        """Send one event."""
        self._events.write(encode(event) + "\n")
        self._events.flush()

    def progress(self, cell: str, epoch: int, step: int, num_steps: int, loss: SupportsFloat) -> None:
        """Send the progress of an epoch, unless progress or a heartbeat was sent within the last second.

        ``loss`` is read only if the event is sent, because reading it from a GPU waits for the GPU.

        Args:
            cell: The id of the cell that is trained.
            epoch: The epoch, from 1.
            step: The number of finished steps of the epoch.
            num_steps: The number of all steps of the epoch.
            loss: The loss of the last step.
        """
        if self._is_due():
            self.send(StepProgress(cell=cell, epoch=epoch, step=step, steps=num_steps, loss=float(loss)))

    def turn(self, cell: str, number: int, num_rounds: int) -> None:
        """Send the progress of a timing session: the turn of ``cell`` begins.

        In a round, each of the methods to compare has one turn.

        Args:
            cell: The cell's id.
            number: The number of the round, from 1.
            num_rounds: The number of rounds that are planned.
        """
        self.send(TimingProgress(cell=cell, round=number, rounds=num_rounds))

    def notice(self, text: str) -> None:
        """Send a warning for the user, about something that does not affect results."""
        self.send(Notice(text=text))

    def heartbeat(self) -> None:
        """Send a sign that this rank makes progress, unless progress or a heartbeat was sent within the last second."""
        if self._is_due():
            self.send(Heartbeat())

    def _is_due(self) -> bool:
        now = time.monotonic()
        due = now - self._last_progress >= _PROGRESS_SECONDS
        self._last_progress = now if due else self._last_progress
        return due


class RecordWriter(EventWriter):
    """A writer of events that also writes records.

    A record is appended to the ledger (``records.jsonl``) and sent to the ``liecbench`` command; other events are only
    sent.
    """

    def __init__(self, ledger: Ledger, events: Path) -> None:
        super().__init__(events)
        self._ledger = ledger

    def record(self, record: Record) -> None:
        """Append a record to the ledger, then send it to the ``liecbench`` command."""
        self._ledger.append(record)
        self.send(record)
