"""How long a run will still take: what finished epochs took beyond their wire's seconds, and the wire's own."""

import statistics
from collections import defaultdict
from collections.abc import Sequence

from liecbench.config.cell import Cell, Job
from liecbench.estimate.cost import timing_wire_seconds, wire_seconds_per_epoch


class TimeLeft:
    """The time left, learnt from the epochs so far: a method's own where there are any, everyone's otherwise."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = {job.cell.id: job for job in jobs}
        self._kinds = {job.cell.id: _kind(job) for job in jobs}
        # Worked out here, before the workers start: later it would take their cores.
        self._wire_seconds = {job.cell.id: _wire_seconds(job) for job in jobs}
        self._epochs_left = {job.cell.id: job.cell.task.epochs - job.epochs_done for job in jobs}
        self._beyond_wire: dict[tuple[bool, str], list[float]] = defaultdict(list)
        self._current: str | None = None
        self._composing_seconds = 0.0

    def begins(self, cell_id: str, epochs_done: int) -> None:
        """A cell is under way."""
        self._current = cell_id
        self._composing_seconds = 0.0
        self._epochs_left[cell_id] = self._jobs[cell_id].cell.task.epochs - epochs_done

    def trained(self, cell_id: str, seconds: float) -> None:
        """One more epoch is there, ``seconds`` after the one before."""
        self._epochs_left[cell_id] -= 1
        job = self._jobs[cell_id]
        if job.trajectory is None:
            self._learn(cell_id, seconds)
        else:
            self._composing_seconds += seconds

    def over(self, cell_id: str) -> None:
        """The cell has ended, however it did."""
        job = self._jobs[cell_id]
        if job.trajectory is not None and self._epochs_left[cell_id] == 0:
            self._learn(cell_id, self._composing_seconds)
        self._epochs_left[cell_id] = 0

    def share_of_current(self) -> float:
        """How much of the cell under way is done."""
        if self._current is None or not self._epochs_left[self._current]:
            return 0.0
        return 1 - self._epochs_left[self._current] / self._jobs[self._current].cell.task.epochs

    def seconds(self) -> float | None:
        """The time left; None before anything was learnt."""
        if not self._beyond_wire:
            return None
        known = {kind: statistics.fmean(seconds) for kind, seconds in self._beyond_wire.items()}
        everyone = {composed: self._mean_of(composed) for composed in (False, True)}
        total = 0.0
        for cell_id, epochs_left in self._epochs_left.items():
            composed, _ = kind = self._kinds[cell_id]
            seconds = self._wire_seconds[cell_id] + known.get(kind, everyone[composed])
            total += seconds * (min(epochs_left, 1) if composed else epochs_left)
        return total

    def _learn(self, cell_id: str, seconds: float) -> None:
        """An epoch, or a composed cell, has taken so long."""
        self._beyond_wire[self._kinds[cell_id]].append(max(seconds - self._wire_seconds[cell_id], 0.0))

    def _mean_of(self, composed: bool) -> float:
        """What was learnt of all composed cells, or of all others."""
        found = [s for (other, _), seconds in self._beyond_wire.items() if other == composed for s in seconds]
        return statistics.fmean(found) if found else 0.0


def _wire_seconds(job: Job) -> float:
    """An epoch's, or those of the steps that are timed of a composed cell."""
    return timing_wire_seconds(job.cell) if job.trajectory else wire_seconds_per_epoch(job.cell)


def _kind(job: Job) -> tuple[bool, str]:
    cell: Cell = job.cell
    return job.trajectory is not None, f"{cell.algorithm.name} {cell.workers} {cell.task.model_dump_json()}"
