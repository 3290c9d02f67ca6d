"""What a person sees while a scenario runs: a live line on a terminal, plain lines elsewhere."""

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from liecbench.cell import Cell, Job
from liecbench.launch import Launch
from liecbench.record import End, Epoch, Record, Start


class ConsoleProgress:
    """Cells done, the current cell's epoch and loss, and the time left; drawn only when something happened."""

    def __init__(self, console: Console, jobs: Sequence[Job], num_cells: int) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self._cells = {job.cell.id: job.cell for job in jobs}
        self._epochs_left = {job.cell.id: job.cell.task.epochs - job.epochs_done for job in jobs}
        self._num_cells, self._num_done = num_cells, num_cells - len(jobs)
        self._seconds: dict[str, list[float]] = defaultdict(list)
        self._since = time.monotonic()

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
        """Something that the user should know."""
        self._say(text)

    def stepped(self, event: dict[str, Any]) -> None:
        """The current epoch has come further."""
        cell = self._cells[event["cell"]]
        where = f"epoch {event['epoch']}/{cell.task.epochs}, step {event['step']}/{event['steps']}"
        self._draw(f"{cell.describe()}: {where}, loss {event['loss']:.3f}")

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
        self._since = time.monotonic()
        self._epochs_left[cell.id] = cell.task.epochs - epochs_done
        if epochs_done:
            self._tell(f"{cell.describe()}: going on after epoch {epochs_done}")
        else:
            self._draw(cell.describe())

    def _trained(self, cell: Cell, record: Epoch) -> None:
        now = time.monotonic()
        self._seconds[cell.algorithm.name].append(now - self._since)
        self._since = now
        self._epochs_left[cell.id] -= 1
        numbers = f"loss {record.train_loss:.3f}, accuracy {record.test_accuracy:.1%}, {record.train_seconds:.2f} s"
        self._tell(f"{cell.describe()}: epoch {record.epoch}/{cell.task.epochs}, {numbers}")

    def failed(self, cell: Cell, error: str) -> None:
        """A cell was lost with its launch."""
        self._over(cell)
        first_line = error.partition("\n")[0]
        self._say(f"{cell.describe()}: failed: {first_line}")

    def _over(self, cell: Cell) -> None:
        self._num_done += 1
        self._epochs_left[cell.id] = 0

    def _overall(self) -> str:
        return f"[{self._num_done}/{self._num_cells} cells{self._time_left()}]"

    def _time_left(self) -> str:
        """From the epochs so far: the same algorithm's where there are any, everyone's otherwise."""
        everyone = [seconds for times in self._seconds.values() for seconds in times]
        if not everyone:
            return ""
        left = 0.0
        for cell_id, epochs in self._epochs_left.items():
            known = self._seconds.get(self._cells[cell_id].algorithm.name, everyone)
            left += epochs * sum(known) / len(known)
        return f", about {left:.0f} s left" if left < 120 else f", about {left / 60:.0f} min left"

    def _tell(self, line: str) -> None:
        """What is shown in both ways: drawn on a terminal, a line of its own elsewhere."""
        self._draw(line)
        if self._live is None:
            self._say(f"{self._overall()} {line}")

    def _draw(self, line: str) -> None:
        if self._live:
            texts = [Text(text, overflow="ellipsis", no_wrap=True) for text in (self._overall(), f"  {line}")]
            self._live.update(Group(*texts), refresh=True)

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
