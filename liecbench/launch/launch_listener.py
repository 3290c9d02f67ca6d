"""Pass the events of a launch on to the user, and explain afterwards how the launch ended."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from liecbench.config.cell import Cell
from liecbench.errors import LiecbenchError
from liecbench.launch.events import DiskError, Event, Heartbeat, Lost, Notice, StepProgress, TimingProgress
from liecbench.launch.launch import Launch
from liecbench.launch.lost_ranks import first_lost
from liecbench.launch.torchrun import LaunchOutcome, log_tail
from liecbench.results.records import CellRecord, End, Epoch, Start
from liecbench.results.timing_record import Timing

# Maps the id of the current cell (None before and between cells) to the seconds without an event that count as a hang.
StallTimeout = Callable[[str | None], float]


class Progress(Protocol):
    """A listener that shows the events of a run to the user."""

    def launching(self, launch: Launch) -> None:
        """Show that a launch starts. Called before its ranks exist."""

    def stepped(self, event: StepProgress | TimingProgress) -> None:
        """Show the progress within an epoch, or in a timing session."""

    def recorded(self, record: CellRecord) -> None:
        """Show that a cell has started, completed an epoch or ended, as ``record`` in the ledger says."""

    def noticed(self, text: str) -> None:
        """Show a message, such as a warning."""

    def failed(self, cell: Cell, error: str) -> None:
        """Show that a cell failed because its launch died."""


class Listener:
    """Handler of one launch's events, which shows the launch's progress and can explain a failure afterwards.

    Args:
        progress: Shows the events to the user.
        stall_timeout: Returns the seconds without an event after which the launch counts as stalled. The argument is
            the id of the current cell, or None before and between cells.
    """

    def __init__(self, progress: Progress, stall_timeout: StallTimeout) -> None:
        self._progress, self._stall_timeout = progress, stall_timeout
        self._cell: str | None = None
        self.turn: str | None = None  # the cell of the contestant whose turn it is
        self._lost: list[Lost] = []
        self._disk: DiskError | None = None

    def handle(self, event: Event) -> None:
        """Pass an event on to ``Progress``, and remember the current cell, lost ranks and disk errors."""
        match event:
            case Lost():
                self._lost.append(event)
                self._disk = self._disk or event.disk
            case StepProgress():
                self._progress.stepped(event)
            case TimingProgress():
                self._cell = self.turn = event.cell
                self._progress.stepped(event)
            case Notice():
                self._progress.noticed(event.text)
            case Start() | Epoch() | End():
                self._cell = None if isinstance(event, End) else event.cell
                self._progress.recorded(event)
            case _:
                assert isinstance(event, Heartbeat | Timing), f"no event of a training launch: {event}"

    def stall_timeout(self) -> float:
        """Return how many seconds to wait for the current cell's next event before the launch counts as stalled."""
        return self._stall_timeout(self._cell)

    def raise_disk_error(self, directory: Path) -> None:
        """Raise LiecbenchError if a rank ended because its disk is full or read-only.

        The error names the file that could not be written. If the file is unknown, the error names ``directory``, the
        results directory.
        """
        if self._disk is not None:
            message = f"{self._disk.path or directory}: {self._disk.reason}"
            raise LiecbenchError(message, "free disk space and run again: every finished epoch is kept")

    def reason(self, outcome: LaunchOutcome) -> str:
        """Return the reason why a launch ended, and below it the last lines of its log."""
        first = f"; first was {first_lost(self._lost)}" if self._lost else ""
        how = f"ended with status {outcome.status}"
        if outcome.stalled_seconds is not None:
            how = f"was ended: no step for {outcome.stalled_seconds:.0f} s (step_timeout)"
        return f"the launch {how}, see {outcome.log}{first}\n{log_tail(outcome.log)}"
