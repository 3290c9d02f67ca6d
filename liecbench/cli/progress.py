"""What a person sees while a scenario runs: a bar and a live line on a terminal, plain lines elsewhere."""

import time
from collections.abc import Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from liecbench.config.cell import Cell, Job
from liecbench.estimate.eta import TimeLeft
from liecbench.launch.launch import Launch
from liecbench.launch.messages import StepProgress, TimingProgress
from liecbench.results.records import End, Epoch, Record, Start

_BAR_WIDTH = 24


class ConsoleProgress:
    """Cells done, the current cell's epoch and loss, and the time left; drawn only when something happened."""

    def __init__(self, console: Console, jobs: Sequence[Job], num_cells: int) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self._cells = {job.cell.id: job.cell for job in jobs}
        self._time_left = TimeLeft(jobs)
        self._num_cells, self._num_done = num_cells, num_cells - len(jobs)
        self._last = time.monotonic()
        self._noticed: set[str] = set()

    def __enter__(self) -> "ConsoleProgress":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def launching(self, launch: Launch) -> None:
        """Workers are started."""
        line = f"starting {launch.workers} workers for {len(launch.jobs)} cells"
        self._tell(line)

    def noticed(self, text: str) -> None:
        """Something that the user should know, once."""
        if text not in self._noticed:
            self._noticed.add(text)
            self._say(text)

    def stepped(self, event: StepProgress | TimingProgress) -> None:
        """The current epoch, or the timing of a kind of steps, has come further."""
        cell = self._cells[event.cell]
        if isinstance(event, TimingProgress):
            mean = f"{event.mean_seconds * 1000:.3g} ms a step"
            where = f"timing {event.kind} steps, {event.steps} so far, {mean}"
        else:
            where = f"epoch {event.epoch}/{cell.task.epochs}, step {event.step}/{event.steps}"
            where += f", loss {event.loss:.3f}"
        self._draw(f"{cell.describe()}: {where}")

    def recorded(self, record: Record) -> None:
        """A start, an epoch or an end was committed."""
        cell = self._cells[record.cell]
        match record:
            case Start():
                self._started(cell, record.epochs_done)
            case Epoch():
                self._trained(cell, record)
            case End():
                self._over(cell)
                if record.error:
                    self._say(f"{cell.describe()}: {record.status}: {record.error}")

    def _started(self, cell: Cell, epochs_done: int) -> None:
        self._last = time.monotonic()
        self._time_left.start_cell(cell.id, epochs_done)
        if epochs_done:
            self._tell(f"{cell.describe()}: going on after epoch {epochs_done}")
        else:
            self._draw(cell.describe())

    def _trained(self, cell: Cell, record: Epoch) -> None:
        now = time.monotonic()
        self._time_left.finish_epoch(cell.id, now - self._last)
        self._last = now
        numbers = f"loss {record.train_loss:.3f}, accuracy {record.test_accuracy:.1%}, {record.train_seconds:.2f} s"
        numbers += " (composed)" if record.composed else ""
        self._tell(f"{cell.describe()}: epoch {record.epoch}/{cell.task.epochs}, {numbers}{achieved_rate(record)}")

    def failed(self, cell: Cell, error: str) -> None:
        """A cell was lost with its launch."""
        self._over(cell)
        first_line = error.partition("\n")[0]
        self._say(f"{cell.describe()}: failed: {first_line}")

    def _over(self, cell: Cell) -> None:
        self._num_done += 1
        self._time_left.end_cell(cell.id)

    def _counts(self) -> str:
        return f"{self._num_done}/{self._num_cells} cells{self._left()}"

    def _left(self) -> str:
        left = self._time_left.seconds()
        if left is None:
            return ""
        return f", about {left:.0f} s left" if left < 120 else f", about {left / 60:.0f} min left"

    def _tell(self, line: str) -> None:
        """What is shown in both ways: drawn on a terminal, a line of its own elsewhere."""
        self._draw(line)
        if self._live is None:
            self._say(f"[{self._counts()}] {line}")

    def _draw(self, line: str) -> None:
        if self._live:
            overall = Table.grid(padding=(0, 1))
            done = self._num_done + self._time_left.share_of_current()
            bar = ProgressBar(total=max(self._num_cells, 1), completed=done, width=_BAR_WIDTH)
            overall.add_row(bar, Text(self._counts(), overflow="ellipsis", no_wrap=True))
            self._live.update(Group(overall, Text(f"  {line}", overflow="ellipsis", no_wrap=True)), refresh=True)

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def achieved_rate(record: Epoch) -> str:
    """What the busiest direction of any rank's link carried on average while it trained; empty where unknown."""
    if record.wire_bytes is None or not record.train_seconds:
        return ""
    busiest = max(max(record.wire_bytes["sent"]), max(record.wire_bytes["received"]))
    # Bytes are of all steps, the seconds of those that are timed.
    seconds = record.train_seconds * record.steps / record.timed_steps
    return f", {8e-6 * busiest / seconds:.3g} Mbit/s"
