"""A cell that is not trained: its steps are timed kind by kind on its link, its epochs composed with a trajectory's."""

import dataclasses
import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch.distributed as dist

from liecbench.cell import Cell, Job
from liecbench.record import Composed, Epoch, KindTime, Status, read
from liecbench.results import CellResult, fold
from liecbench.worker import meter
from liecbench.worker.cell_link import CellLink
from liecbench.worker.journal import Journal
from liecbench.worker.training import Training

_CHUNK_STEPS = 8
_PRECISION = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Steps of one kind: the first that the training has, how many it has, and what each rank took for some."""

    first: int
    count: int
    ranks: list[meter.RankEpoch]

    @property
    def timed_steps(self) -> int:
        """How many steps were timed."""
        return len(self.ranks[0].step_seconds)

    def mean_seconds(self, rank: int) -> float:
        """What a step takes on a rank, with what lies between it and the one before."""
        return self.ranks[rank].train_seconds / self.timed_steps

    def half_width_seconds(self) -> float:
        """Half of the 95 % interval of the slowest rank's mean step."""
        return half_width(self.ranks[self.slowest].step_seconds)

    @property
    def slowest(self) -> int:
        """The rank whose steps took longest."""
        return max(range(len(self.ranks)), key=self.mean_seconds)

    @property
    def known(self) -> bool:
        """Whether the mean is known to 2 %, or as many steps were timed as training would have had."""
        return self.half_width_seconds() <= _PRECISION * self.mean_seconds(self.slowest) or (
            self.timed_steps >= self.count
        )


def half_width(seconds: Sequence[float]) -> float:
    """Half of the 95 % interval of a mean (Student's t); infinite for one value."""
    if len(seconds) < 2:
        return math.inf
    from scipy.special import stdtrit

    return float(stdtrit(len(seconds) - 1, 0.975)) * statistics.stdev(seconds) / math.sqrt(len(seconds))


def compose(job: Job, directory: Path, link: CellLink, journal: Journal | None) -> tuple[Status, str | None]:
    """Record the epochs of a cell; how it ended, and why if not well. Collective."""
    assert job.trajectory is not None, "the cell is composed"
    trajectory = _trajectory(directory, job.trajectory)
    if trajectory.status != "completed":
        refused: Status = "diverged" if trajectory.status == "diverged" else "failed"
        return refused, f"the cell that it is composed with, {job.trajectory}, is {trajectory.status}"
    training = Training(job.cell, link, None)
    try:
        kinds = _time_kinds(training, link, journal)
    finally:
        training.close()
    if journal is not None:
        schedule = _Schedule(job.cell, training)
        for epoch in trajectory.epochs[job.epochs_done :]:
            composed = compose_epoch(epoch, kinds, schedule.counts(epoch), cell=job.cell.id, attempt=job.attempt)
            journal.record(composed)
    return "completed", None


def _trajectory(directory: Path, cell: str) -> CellResult:
    """What rank 0's ledger holds of the trained cell; its epochs on rank 0 alone. Collective."""
    found: list[CellResult | None] = [None]
    if dist.get_rank() == 0:
        found[0] = fold(record for record in read(directory) if record.cell == cell).get(cell)
        found[0] = found[0] or CellResult(id=cell, spec={}, environment={}, attempt=0)
    own = found[0]
    if own is not None:
        found = [dataclasses.replace(own, epochs=[])]
    dist.broadcast_object_list(found, src=0)
    result = own or found[0]
    assert result is not None, "rank 0 has sent one"
    return result


def _time_kinds(training: Training, link: CellLink, journal: Journal | None) -> dict[str, Kind]:
    """Time every kind of step until its mean is known; the same on every rank. Collective."""
    num_steps = training.cell.task.epochs * training.steps_per_epoch
    names = [training.algorithm.step_kind(step) for step in range(num_steps)]
    kinds: dict[str, Kind] = {}
    link.shape()
    try:
        for name, count in Counter(names).items():
            kind = Kind(first=names.index(name), count=count, ranks=_chunk(training, names.index(name)))
            while not kind.known:
                if journal is not None:
                    journal.timed(training.cell.id, name, kind.timed_steps, kind.mean_seconds(kind.slowest))
                more = _chunk(training, kind.first)
                kind = dataclasses.replace(kind, ranks=list(map(meter.joined, kind.ranks, more)))
            kinds[name] = kind
    finally:
        link.lift()
    return kinds


def _chunk(training: Training, first: int) -> list[meter.RankEpoch]:
    sample = training.time_steps(first, _CHUNK_STEPS)
    everyone = [sample] * dist.get_world_size()
    dist.all_gather_object(everyone, sample)
    meter.check_wire(everyone)
    return everyone


class _Schedule:
    """Which kinds of steps the epochs of a cell have."""

    def __init__(self, cell: Cell, training: Training) -> None:
        self._warmup, self._per_epoch = cell.task.warmup_steps, training.steps_per_epoch
        self._kind = training.algorithm.step_kind

    def counts(self, epoch: Epoch) -> tuple[Counter[str], Counter[str]]:
        """How many of each kind an epoch has: all of its steps, and those that are timed."""
        steps = range((epoch.epoch - 1) * self._per_epoch, epoch.epoch * self._per_epoch)
        return Counter(map(self._kind, steps)), Counter(map(self._kind, steps[epoch.steps - epoch.timed_steps :]))


def compose_epoch(
    epoch: Epoch, kinds: dict[str, Kind], counts: tuple[Counter[str], Counter[str]], *, cell: str, attempt: int
) -> Epoch:
    """An epoch of the trajectory with the times of another link; ``counts`` of all steps, and of the timed ones."""
    everything, timed = counts
    num_ranks = len(next(iter(kinds.values())).ranks)
    seconds = [sum(n * kinds[name].mean_seconds(rank) for name, n in timed.items()) for rank in range(num_ranks)]
    slowest = seconds.index(max(seconds))

    def of_slowest(value: str) -> float:
        return sum(n * _part(kinds[name], slowest, value) for name, n in timed.items())

    exposed = of_slowest("exposed_seconds")
    return dataclasses.replace(
        epoch,
        cell=cell,
        attempt=attempt,
        train_seconds=seconds[slowest],
        step_seconds=_quantiles(kinds, timed),
        compute_seconds=seconds[slowest] - exposed,
        exposed_seconds=exposed,
        compress_seconds=of_slowest("compress_seconds"),
        communicate_seconds=of_slowest("communicate_seconds"),
        wire_bytes=_wire_bytes(kinds, everything),
        cpu_seconds=sum(
            n * sum(rank.cpu_seconds / rank.num_steps for rank in kinds[name].ranks) for name, n in everything.items()
        ),
        peak_memory_bytes=max(rank.peak_memory_bytes for kind in kinds.values() for rank in kind.ranks),
        composed=Composed(
            trajectory=epoch.cell, kinds={name: _kind_time(kinds[name], everything[name]) for name in everything}
        ),
    )


def _part(kind: Kind, rank: int, value: str) -> float:
    """Seconds of a step that a rank spent on one thing."""
    seen = kind.ranks[rank]
    total: float = seen.exposed_seconds if value == "exposed_seconds" else getattr(seen.counters, value)
    return total / kind.timed_steps


def _kind_time(kind: Kind, steps: int) -> KindTime:
    return KindTime(
        steps=steps,
        timed_steps=kind.timed_steps,
        mean_seconds=kind.mean_seconds(kind.slowest),
        half_width_seconds=kind.half_width_seconds(),
    )


def _quantiles(kinds: dict[str, Kind], counts: Counter[str]) -> dict[str, float] | None:
    """Median and 95th percentile of the slowest ranks' steps, each kind with the weight that it has in the epoch."""
    if not counts:
        return None
    steps, weights = [], []
    for name, count in counts.items():
        slowest = np.array([rank.step_seconds for rank in kinds[name].ranks]).max(axis=0)
        steps.append(slowest)
        weights.append(np.full(slowest.size, count / slowest.size))
    values, shares = np.concatenate(steps), np.concatenate(weights)
    median, p95 = np.quantile(values, [0.5, 0.95], weights=shares, method="inverted_cdf")
    return {"median": float(median), "p95": float(p95)}


def _wire_bytes(kinds: dict[str, Kind], counts: Counter[str]) -> dict[str, list[int]] | None:
    """Counts × what a step of each kind put on every rank's wire; None where nothing counts it."""
    totals: list[list[float]] = []
    for rank in range(len(next(iter(kinds.values())).ranks)):
        total = [0.0, 0.0]
        for name, count in counts.items():
            seen = kinds[name].ranks[rank]
            if seen.wire_bytes is None:
                return None
            total = [t + count * wire / seen.num_steps for t, wire in zip(total, seen.wire_bytes, strict=True)]
        totals.append(total)
    return {"sent": [round(sent) for sent, _ in totals], "received": [round(received) for _, received in totals]}
