"""The progress that ``liecbench run`` shows: on a terminal a bar and a line of text, elsewhere one line per event."""

import time
from collections.abc import Callable, Iterable
from typing import Final, Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column
from rich.text import Text

from liecbench.config.cell import Cell
from liecbench.estimate.eta import TimeLeft
from liecbench.launch.events import StepProgress, TimingProgress
from liecbench.launch.launch import Launch
from liecbench.launch.pending import Pending
from liecbench.results.records import CellRecord, End, Epoch, Start

_BAR_WIDTH = 24
# Without a terminal, a timing session prints a line only if nothing was printed for this time.
_TURN_LINE_SECONDS: Final = 15.0


class _BarAndLine(Progress):
    """A progress bar with a text beside it, and below it a line about the present cell.

    Nothing is drawn if the output is no terminal, or a terminal that cannot move its cursor (TERM=dumb).
    """

    def __init__(self, console: Console) -> None:
        self.line = ""
        one_line = Column(overflow="ellipsis", no_wrap=True)
        super().__init__(
            BarColumn(_BAR_WIDTH),
            TextColumn("{task.description}", style="", markup=False, table_column=one_line),
            console=console,
            auto_refresh=False,
            transient=True,
            disable=not console.is_terminal or console.is_dumb_terminal,
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        yield Text(f"  {self.line}", overflow="ellipsis", no_wrap=True)


class ConsoleProgress:
    """Shows the number of finished cells (training runs), the time left, and the current cell's epoch and loss.

    Args:
        console: The console to draw on.
        pending: The trainings and timing sessions that are left to run.
        num_cells: The number of cells of the run, including those that are finished already.
        clock: Returns the present time in seconds, from any starting point.

    Attributes:
        is_timing: True if the latest launch runs timing sessions.
    """

    def __init__(
        self,
        console: Console,
        pending: Pending,
        num_cells: int,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console, self._clock = console, clock
        self._bar = _BarAndLine(console)
        jobs = [*pending.jobs, *(job for session in pending.sessions for job in session.jobs)]
        self._cells = {job.cell.id: job.cell for job in jobs}
        self._cells |= {c.cell.id: c.cell for session in pending.sessions for c in session.contestants}
        self._time_left = TimeLeft(pending)
        # Trajectories are no cells of the scenario: they are counted apart.
        self._trajectories = {job.cell.id for job in pending.jobs if job.cell.timing == "trajectory"}
        self._num_trained = 0
        self._num_cells, self._num_done = num_cells, num_cells - len(pending.cells)
        self._bar_id = self._bar.add_task("", total=max(num_cells + len(self._trajectories), 1))
        self._last = self._last_said = clock()
        self._warnings: set[str] = set()
        self.is_timing = False

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def launching(self, launch: Launch) -> None:
        """Show that the workers of a launch are starting."""
        self.is_timing = bool(launch.sessions)
        for session in launch.sessions:  # a method that is only timed for the others' speed-ups has no Start record
            self._cells.update({contestant.cell.id: contestant.cell for contestant in session.contestants})
        line = f"starting {launch.workers} workers, {launch.work}"
        self._tell(line)

    def noticed(self, text: str) -> None:
        """Print a warning, unless the same text was printed before."""
        if text not in self._warnings:
            self._warnings.add(text)
            self._say(text)

    def stepped(self, event: StepProgress | TimingProgress) -> None:
        """Show the latest training step or, in a timing session, which method is timed now and in which round.

        Without a terminal, training steps are not shown, and a timed method only if no line was printed for 15 s.
        """
        cell = self._cells[event.cell]
        if isinstance(event, StepProgress):
            where = f"epoch {event.epoch}/{cell.task.epochs}, step {event.step}/{event.steps}"
            self._draw(f"{cell.describe()}: {where}, loss {event.loss:.3f}")
            return
        now = self._clock()
        self._time_left.begin_turn(event.cell, event.round, event.rounds, now)
        show = self._tell if now - self._last_said >= _TURN_LINE_SECONDS else self._draw
        show(f"{cell.describe()}: timing, round {event.round}/{event.rounds}")

    def recorded(self, record: CellRecord) -> None:
        """Show a record that was written to the ledger: the start, an epoch or the end of a cell."""
        cell = self._cells.setdefault(record.cell, Cell.from_spec(record.spec)) if isinstance(record, Start) else None
        cell = cell or self._cells[record.cell]
        match record:
            case Start():
                self._started(cell, record.epochs_done)
            case Epoch():
                self._trained(cell, record)
            case End():
                self._over(cell)
                if record.error:
                    first_line = record.error.partition("\n")[0]
                    self._say(f"{cell.describe()}: {record.status}: {first_line}")

    def _started(self, cell: Cell, epochs_done: int) -> None:
        self._last = self._clock()
        self._time_left.start_cell(cell.id, epochs_done)
        if epochs_done:
            self._tell(f"{cell.describe()}: continuing after epoch {epochs_done}")
        else:
            self._draw(cell.describe())

    def _trained(self, cell: Cell, record: Epoch) -> None:
        now = self._clock()
        self._time_left.finish_epoch(cell.id, now - self._last)
        self._last = now
        reached = f"accuracy {record.test_accuracy:.1%}" if record.tokens is None else f"test {record.test_loss:.3f}"
        numbers = f"loss {record.train_loss:.3f}, {reached}"
        numbers += f", {record.train_seconds:.2f} s" if record.timed_steps else ""
        self._tell(f"{cell.describe()}: epoch {record.epoch}/{cell.task.epochs}, {numbers}{achieved_rate(record)}")

    def failed(self, cell: Cell, error: str) -> None:
        """Count a cell as finished because its launch failed, and print the first line of the error."""
        self._over(cell)
        first_line = error.partition("\n")[0]
        self._say(f"{cell.describe()}: failed: {first_line}")

    def _over(self, cell: Cell) -> None:
        if cell.timing == "trajectory":
            self._num_trained += 1
        elif not cell.added_rate:  # these are no cells of the scenario either, and nobody knows how many will come
            self._num_done += 1
        self._time_left.end_cell(cell.id)

    def _counts(self) -> str:
        trained = f"{self._num_trained}/{len(self._trajectories)} trained, " if self._trajectories else ""
        return f"{trained}{self._num_done}/{self._num_cells} cells{self._left()}"

    def _left(self) -> str:
        left = self._time_left.seconds()
        if left is None:
            return ""
        return f", about {left:.0f} s left" if left < 120 else f", about {left / 60:.0f} min left"

    def _tell(self, line: str) -> None:
        """Show ``line`` with the progress bar or, if there is no terminal, print it."""
        self._draw(line)
        if self._bar.disable:
            self._say(f"[{self._counts()}] {line}")

    def _draw(self, line: str) -> None:
        self._bar.line = line
        done = self._num_done + self._num_trained + self._time_left.share_of_current()
        self._bar.update(self._bar_id, completed=done, description=self._counts(), refresh=True)

    def _say(self, line: str) -> None:
        self._last_said = self._clock()
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def achieved_rate(record: Epoch) -> str:
    """Return the mean rate of an epoch's busiest link direction as text, such as ``, 9.4 Mbit/s``; empty if unknown."""
    if record.wire_bytes is None or not record.train_seconds:
        return ""
    busiest = max(max(record.wire_bytes["sent"]), max(record.wire_bytes["received"]))
    # Wire bytes are counted in all steps, training seconds only in the timed steps.
    seconds = record.train_seconds * record.steps / record.timed_steps
    return f", {8e-6 * busiest / seconds:.3g} Mbit/s"
