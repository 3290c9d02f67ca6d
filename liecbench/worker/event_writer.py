"""Rank 0's two outlets: the ledger, which is the truth, and the events that the command shows as progress."""

import json
import time
from pathlib import Path
from typing import SupportsFloat

from liecbench.results.ledger import Ledger
from liecbench.results.records import Record, to_json

_PROGRESS_SECONDS = 1.0


class Voice:
    """Events alone, which the command hears; of steps at most one a second."""

    def __init__(self, events: Path) -> None:
        self._events = events.open("w")
        self._last_progress = 0.0

    def progress(self, cell: str, epoch: int, step: int, num_steps: int, loss: SupportsFloat) -> None:
        """Tell how far the epoch is; only then is ``loss`` asked for, which waits for a GPU."""
        if self._is_due():
            event = {
                "type": "progress",
                "cell": cell,
                "epoch": epoch,
                "step": step,
                "steps": num_steps,
                "loss": float(loss),
            }
            self.tell(json.dumps(event))

    def timed(self, cell: str, kind: str, num_steps: int, mean_seconds: float) -> None:
        """Tell how far the timing of one kind of steps is."""
        event = {"type": "timing", "cell": cell, "kind": kind, "steps": num_steps, "mean_seconds": mean_seconds}
        self.tell(json.dumps(event))

    def notice(self, text: str) -> None:
        """Tell of something that went wrong and changes no result."""
        self.tell(json.dumps({"type": "notice", "text": text}))

    def alive(self) -> None:
        """Tell that the cell goes on where no step shows it, at most once a second."""
        if self._is_due():
            self.tell(json.dumps({"type": "alive"}))

    def _is_due(self) -> bool:
        now = time.monotonic()
        due = now - self._last_progress >= _PROGRESS_SECONDS
        self._last_progress = now if due else self._last_progress
        return due

    def tell(self, line: str) -> None:
        """Send one event, as JSON."""
        self._events.write(line + "\n")
        self._events.flush()


class Journal(Voice):
    """Records go to both; steps go to the command alone."""

    def __init__(self, ledger: Ledger, events: Path) -> None:
        super().__init__(events)
        self._ledger = ledger

    def record(self, record: Record) -> None:
        """Commit a record, then tell of it."""
        self._ledger.append(record)
        self.tell(to_json(record))
