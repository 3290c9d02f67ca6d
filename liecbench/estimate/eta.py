"""Estimate of the time that a run still needs, from the epochs that it has finished."""

import statistics
from collections import defaultdict
from collections.abc import Sequence

from liecbench.config.cell import Job
from liecbench.estimate.cost import timing_wire_seconds, wire_seconds_per_epoch


class TimeLeft:
    """A running estimate of the seconds that a run still needs.

    The estimate for an epoch is the link's time for its bytes plus a remainder: the mean remainder of the finished
    epochs of the same method with the same workers and task or, if there are none, of all methods' finished epochs.
    A composed cell is estimated in the same way, but as a whole and from other composed cells.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = {job.cell.id: job for job in jobs}
        self._kinds = {job.cell.id: _kind(job) for job in jobs}
        # Computed before the workers start: later it would take their cores.
        self._wire_seconds = {job.cell.id: _wire_seconds(job) for job in jobs}
        self._epochs_left = {job.cell.id: job.cell.task.epochs - job.epochs_done for job in jobs}
        self._remainders: dict[tuple[bool, str], list[float]] = defaultdict(list)
        self._current: str | None = None
        self._composing_seconds = 0.0

    def start_cell(self, cell_id: str, epochs_done: int) -> None:
        """Note that a cell begins, of which earlier attempts finished ``epochs_done`` epochs."""
        self._current = cell_id
        self._composing_seconds = 0.0
        self._epochs_left[cell_id] = self._jobs[cell_id].cell.task.epochs - epochs_done

    def finish_epoch(self, cell_id: str, seconds: float) -> None:
        """Note that an epoch of a cell was recorded, ``seconds`` after the previous record."""
        self._epochs_left[cell_id] -= 1
        if self._jobs[cell_id].trajectory is None:
            self._add_remainder(cell_id, seconds)
        else:
            self._composing_seconds += seconds

    def end_cell(self, cell_id: str) -> None:
        """Note that a cell has ended, completed or not."""
        is_composed = self._jobs[cell_id].trajectory is not None
        if is_composed and self._epochs_left[cell_id] == 0:
            self._add_remainder(cell_id, self._composing_seconds)
        self._epochs_left[cell_id] = 0

    def share_of_current(self) -> float:
        """Return the finished share of the current cell's epochs, from 0 to 1."""
        if self._current is None or not self._epochs_left[self._current]:
            return 0.0
        return 1 - self._epochs_left[self._current] / self._jobs[self._current].cell.task.epochs

    def seconds(self) -> float | None:
        """Return the estimated seconds left; None until an epoch of a trained cell, or a composed cell, is finished."""
        if not self._remainders:
            return None
        known = {kind: statistics.fmean(seconds) for kind, seconds in self._remainders.items()}
        everyone = {composed: self._mean_remainder(composed) for composed in (False, True)}
        total = 0.0
        for cell_id, epochs_left in self._epochs_left.items():
            composed, _ = kind = self._kinds[cell_id]
            seconds = self._wire_seconds[cell_id] + known.get(kind, everyone[composed])
            total += seconds * (min(epochs_left, 1) if composed else epochs_left)
        return total

    def _add_remainder(self, cell_id: str, seconds: float) -> None:
        """Keep the seconds that an epoch, or the whole of a composed cell, took beyond the link's time."""
        self._remainders[self._kinds[cell_id]].append(max(seconds - self._wire_seconds[cell_id], 0.0))

    def _mean_remainder(self, composed: bool) -> float:
        """Return the mean remainder over all composed cells, or else over all epochs of trained cells; 0 if none."""
        found = [s for (other, _), seconds in self._remainders.items() if other == composed for s in seconds]
        return statistics.fmean(found) if found else 0.0


def _wire_seconds(job: Job) -> float:
    """Return the links' seconds for an epoch or, if the job's cell is composed, for its timed steps."""
    return timing_wire_seconds(job.cell) if job.trajectory else wire_seconds_per_epoch(job.cell)


def _kind(job: Job) -> tuple[bool, str]:
    """Return a key for jobs with similar remainders: (True if composed; algorithm, number of workers and task)."""
    cell = job.cell
    return job.trajectory is not None, f"{cell.algorithm.name} {cell.workers} {cell.task.model_dump_json()}"
