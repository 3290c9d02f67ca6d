"""A cell that is not trained: its steps are timed kind by kind on its link, its epochs composed with a trajectory's."""

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch.distributed as dist

from liecbench.algorithms.base import NonFiniteError
from liecbench.config.cell import Job
from liecbench.results.cells import CellResult
from liecbench.results.comparison import Estimate
from liecbench.results.directory import read_cell
from liecbench.results.records import Composed, Epoch, KindTime, Status
from liecbench.worker import measure
from liecbench.worker.cell_link import CellLink
from liecbench.worker.collective_errors import afterwards
from liecbench.worker.event_writer import Journal
from liecbench.worker.trainer import Training

_FEWEST_STEPS = 8
_PRECISION = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Steps of one kind: how many the training has, and what each rank took for some."""

    count: int
    ranks: list[measure.RankEpoch]

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

    def steps_missing(self) -> int:
        """How many more steps should make the mean known, at most as many again as there are."""
        off = self.half_width_seconds() / (_PRECISION * self.mean_seconds(self.slowest))
        wanted = min(self.timed_steps * off**2, self.count) - self.timed_steps
        return max(_FEWEST_STEPS, min(math.ceil(wanted), self.timed_steps))


def half_width(seconds: Sequence[float]) -> float:
    """Half of the 95 % interval of a mean; infinite for one value."""
    estimate = Estimate.of(seconds)
    return math.inf if estimate.high is None else estimate.high - estimate.mean


def compose(job: Job, trajectory: CellResult, link: CellLink, journal: Journal | None) -> tuple[Status, str | None]:
    """Record the epochs of a cell; how it ended, and why if not well. Collective."""
    if trajectory.status == "diverged":
        return "diverged", f"as the cell that it is composed with, {trajectory.id}, did: {trajectory.error}"
    try:
        training = Training(job.cell, link, journal, trajectory.environment.get("data_sha256"))
        with afterwards(training.close):
            kinds = _time_kinds(training, link, journal)
    except NonFiniteError as error:
        return "failed", f"its steps could not be timed: {error}"
    if journal is not None:
        for epoch in trajectory.epochs[job.epochs_done :]:
            counts = _counts(training, epoch)
            journal.record(compose_epoch(epoch, kinds, counts, cell=job.cell.id, attempt=job.attempt))
    return "completed", None


def find_trajectory(directory: Path, cell: str) -> CellResult:
    """What rank 0's ledger holds of the trained cell; its epochs on rank 0 alone. Collective."""
    own = None
    if dist.get_rank() == 0:
        own = read_cell(directory, cell) or CellResult(id=cell, spec={}, environment={}, attempt=0)
    told = [own and dataclasses.replace(own, epochs=[])]
    dist.broadcast_object_list(told, src=0)
    result = own or told[0]
    assert result is not None, "rank 0 has sent one"
    return result


def _time_kinds(training: Training, link: CellLink, journal: Journal | None) -> dict[str, Kind]:
    """Time every kind of step until its mean is known; the same on every rank. Collective."""
    num_steps = training.cell.task.epochs * training.steps_per_epoch
    names = [training.algorithm.step_kind(step) for step in range(num_steps)]
    kinds: dict[str, Kind] = {}
    link.shape()
    with afterwards(link.lift):
        for name, count in Counter(names).items():
            first = names.index(name)
            kind = Kind(count=count, ranks=_stretch(training, first, _FEWEST_STEPS))
            while not kind.known:
                if journal is not None:
                    journal.timed(training.cell.id, name, kind.timed_steps, kind.mean_seconds(kind.slowest))
                more = _stretch(training, first, kind.steps_missing())
                kind = dataclasses.replace(kind, ranks=list(map(measure.joined, kind.ranks, more)))
            kinds[name] = kind
    return kinds


def _stretch(training: Training, first: int, num_steps: int) -> list[measure.RankEpoch]:
    sample = training.time_steps(first, num_steps)
    everyone = [sample] * dist.get_world_size()
    dist.all_gather_object(everyone, sample)
    measure.check_wire(everyone, training.cell.backend)
    return everyone


def _counts(training: Training, epoch: Epoch) -> tuple[Counter[str], Counter[str]]:
    """How many steps of each kind an epoch has: all of them, and those that are timed."""
    steps = range((epoch.epoch - 1) * epoch.steps, epoch.epoch * epoch.steps)
    kind = training.algorithm.step_kind
    return Counter(map(kind, steps)), Counter(map(kind, steps[epoch.steps - epoch.timed_steps :]))


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
        least_communicate_seconds=sum(
            n * min(_part(kinds[name], rank, "communicate_seconds") for rank in range(num_ranks))
            for name, n in timed.items()
        ),
        data_seconds=of_slowest("data_seconds"),
        wire_bytes=_wire_bytes(kinds, everything),
        cpu_seconds=sum(
            n * sum(rank.cpu_seconds / rank.num_steps for rank in kinds[name].ranks) for name, n in everything.items()
        ),
        other_cpu_share=max(measure.other_cpu_share(kind.ranks) for kind in kinds.values()),
        peak_memory_bytes=max(rank.peak_memory_bytes for kind in kinds.values() for rank in kind.ranks),
        gpu=None,  # the trajectory's is of its own link, on which GPUs wait as long as they do there
        composed=Composed(
            trajectory=epoch.cell, kinds={name: _kind_time(kinds[name], everything[name]) for name in everything}
        ),
    )


def _part(kind: Kind, rank: int, value: str) -> float:
    """Seconds of a step that a rank spent on one thing."""
    seen = kind.ranks[rank]
    total: float = getattr(seen if hasattr(seen, value) else seen.counters, value)
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
