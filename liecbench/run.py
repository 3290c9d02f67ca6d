"""Running a scenario: which cells are left, launch after launch, every failure recorded and none of the rest lost."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import yaml

from liecbench import launch as launching
from liecbench.cell import Cell
from liecbench.document import nearest
from liecbench.errors import LiecbenchError
from liecbench.launch import Job, Launch
from liecbench.matrix import Scenario
from liecbench.record import LEDGER_NAME, End, Ledger, Record, Start, from_fields, read, utc_now
from liecbench.results import CellResult, flat_fields, fold


class Progress(Protocol):
    """Who watches a run."""

    def launching(self, launch: Launch) -> None:
        """Workers are started."""

    def started(self, cell: Cell, epochs_done: int) -> None:
        """A cell begins after so many epochs."""

    def stepped(self, event: dict[str, Any]) -> None:
        """The current epoch has come further."""

    def recorded(self, record: Record) -> None:
        """An epoch or an end was committed."""

    def failed(self, cell: Cell, error: str) -> None:
        """A cell was lost with its launch."""


def jobs_left(cells: Sequence[Cell], done: dict[str, CellResult]) -> list[Job]:
    """A job for each cell that is not over: completed and diverged cells stay, failed ones are tried again."""
    jobs = []
    for cell in cells:
        result = done.get(cell.id)
        if result is None:
            jobs.append(Job(cell=cell))
        elif result.status not in ("completed", "diverged"):
            jobs.append(Job(cell=cell, attempt=result.attempt + 1, epochs_done=len(result.epochs)))
    return jobs


def select(cells: Sequence[Cell], conditions: Sequence[str]) -> list[Cell]:
    """The cells that meet ``KEY=VALUE`` conditions: any of one key's values, every key; LiecbenchError for none."""
    wanted: dict[str, set[str]] = {}
    known = {name for cell in cells for name in flat_fields(cell.spec())}
    for condition in conditions:
        key, sign, value = condition.partition("=")
        if not sign:
            raise LiecbenchError(f"--only {condition}: not KEY=VALUE", "write for example --only algorithm=liec")
        if key not in known:
            raise LiecbenchError(f"--only {condition}: the cells have no {key!r}", nearest(key, known))
        wanted.setdefault(key, set()).add(value)
    chosen = [c for c in cells if all(str(flat_fields(c.spec()).get(k)) in v for k, v in wanted.items())]
    if not chosen:
        raise LiecbenchError(f"--only {' '.join(conditions)}: no cell is like that", "see them with --dry-run")
    return chosen


def finished_cells(directory: Path) -> dict[str, CellResult]:
    """What a results directory holds so far; nothing where there is none."""
    return fold(read(directory)) if (directory / LEDGER_NAME).exists() else {}


def refuse_existing(directory: Path) -> None:
    """LiecbenchError where a directory holds results."""
    if (directory / LEDGER_NAME).exists():
        raise LiecbenchError(f"{directory} holds results already", "leave --fresh out to go on, or give another --out")


class ResultsDirectory:
    """An open results directory: locked against other runs, its ledger folded."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self.ledger = Ledger(path)
        except OSError as error:
            raise LiecbenchError(
                f"{path}: {error.strerror}", "give a directory that can be written with --out"
            ) from None
        self.ledger.lock(path)
        self.results = finished_cells(path)

    def describe(self, cells: Sequence[Cell], jobs: Sequence[Job]) -> str:
        """What is taken over from an earlier run; empty for a new one."""
        if not self.results:
            return ""
        open_cells = sum(job.epochs_done > 0 for job in jobs)
        others = len(self.results.keys() - {cell.id for cell in cells})
        text = f"{self.path} exists: {len(cells) - len(jobs)} of {len(cells)} cells are done"
        text += f", {open_cells} under way" if open_cells else ""
        return text + (f", and {others} others are left as they are" if others else "")

    def write_scenario(self, scenario: Scenario) -> None:
        """Keep the scenario as resolved."""
        text = yaml.safe_dump(scenario.model_dump(mode="json", exclude_none=True), sort_keys=False, allow_unicode=True)
        (self.path / "scenario.yaml").write_text(text, encoding="utf-8")

    def __enter__(self) -> "ResultsDirectory":
        return self

    def __exit__(self, *_: object) -> None:
        self.ledger.close()


@dataclass(slots=True)
class _Watch:
    """What one launch has said."""

    progress: Progress
    cells: dict[str, Cell]
    epochs_done: dict[str, int]
    begun: dict[str, int] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)

    def event(self, event: dict[str, Any]) -> None:
        if event["type"] == "progress":
            self.progress.stepped(event)
            return
        record = from_fields(event)
        if isinstance(record, Start):
            self.begun[record.cell] = record.attempt
            self.progress.started(self.cells[record.cell], self.epochs_done[record.cell])
        else:
            if isinstance(record, End):
                self.ended.add(record.cell)
            self.progress.recorded(record)


def run_jobs(jobs: Sequence[Job], directory: ResultsDirectory, progress: Progress) -> None:
    """Run every job; a launch that dies takes the cell that it was at with it, and the rest is launched again."""
    launches = launching.group(jobs)
    while launches:
        launch = launches.pop(0)
        watch = _Watch(
            progress,
            {j.cell.id: j.cell for j in launch.jobs},
            {j.cell.id: j.epochs_done for j in launch.jobs},
        )
        progress.launching(launch)
        outcome = launching.start(launch, directory.path, watch.event)
        if outcome.status == 0:
            continue
        error = f"the launch ended with status {outcome.status}; {outcome.log} ends:\n{launching.log_tail(outcome.log)}"
        # Where no cell had begun, launching again would end the same way.
        lost = [
            j for j in launch.jobs if j.cell.id not in watch.ended and (j.cell.id in watch.begun or not watch.begun)
        ]
        for job in lost:
            _record_failure(job, directory, error, begun=job.cell.id in watch.begun)
            progress.failed(job.cell, error)
        rest = tuple(j for j in launch.jobs if j not in lost and j.cell.id not in watch.ended)
        if rest:
            launches.insert(0, Launch(jobs=rest))


def _record_failure(job: Job, directory: ResultsDirectory, error: str, *, begun: bool) -> None:
    cell = job.cell
    if not begun:
        start = Start(cell=cell.id, attempt=job.attempt, at=utc_now(), spec=cell.spec(), environment={})
        directory.ledger.append(start)
    directory.ledger.append(End(cell=cell.id, attempt=job.attempt, status="failed", error=error))
