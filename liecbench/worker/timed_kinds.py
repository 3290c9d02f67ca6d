"""Timing of steps by kind: steps of each kind are timed until the kind's mean is known to within 2 %."""

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch.distributed as dist

from liecbench.results.statistics import Estimate
from liecbench.worker.cell_link import CellLink
from liecbench.worker.collective_errors import collective_cleanup
from liecbench.worker.event_writer import RecordWriter
from liecbench.worker.rank_measurement import RankMeasurement, check_wire_bytes, concatenate
from liecbench.worker.replica import Replica
from liecbench.worker.step_timing import time_steps

_MIN_STEPS = 8
_PRECISION = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedKind:
    """Timed steps of one kind.

    Attributes:
        count: Number of steps of this kind in the whole training.
        ranks: The measurement of each rank, all of equally many steps.
    """

    count: int
    ranks: list[RankMeasurement]

    @property
    def timed_steps(self) -> int:
        """Number of timed steps."""
        return len(self.ranks[0].step_seconds)

    def mean_seconds(self, rank: int) -> float:
        """Return the mean seconds of a timed step on one rank."""
        return self.ranks[rank].train_seconds / self.timed_steps

    def half_width_seconds(self) -> float:
        """Return half of the 95 % confidence interval of the slowest rank's mean step."""
        return half_width(self.ranks[self.slowest].step_seconds)

    @property
    def slowest(self) -> int:
        """The rank whose mean step takes longest."""
        return max(range(len(self.ranks)), key=self.mean_seconds)

    @property
    def is_precise(self) -> bool:
        """True if the mean is known to within 2 %, or if as many steps were timed as the training has of this kind."""
        return self.half_width_seconds() <= _PRECISION * self.mean_seconds(self.slowest) or (
            self.timed_steps >= self.count
        )

    def missing_steps(self) -> int:
        """Return the number of steps still to time: enough for a precise mean, but no more than were timed so far."""
        excess = self.half_width_seconds() / (_PRECISION * self.mean_seconds(self.slowest))
        missing = min(self.timed_steps * excess**2, self.count) - self.timed_steps
        return max(_MIN_STEPS, min(math.ceil(missing), self.timed_steps))


def half_width(seconds: Sequence[float]) -> float:
    """Return half of the width of the mean's 95 % confidence interval; infinity for a single value."""
    estimate = Estimate.of(seconds)
    return math.inf if estimate.high is None else estimate.high - estimate.mean


def time_kinds(replica: Replica, link: CellLink, writer: RecordWriter | None) -> dict[str, TimedKind]:
    """Time steps of each kind until their mean is precise; return them by kind, alike on every rank. Collective."""
    names = replica.step_kinds
    kinds: dict[str, TimedKind] = {}
    link.shape()
    with collective_cleanup(link.unshape):
        for name, count in Counter(names).items():
            step = names.index(name)
            kind = TimedKind(count=count, ranks=_time_steps(replica, step, _MIN_STEPS))
            while not kind.is_precise:
                if writer is not None:
                    writer.timed(replica.cell.id, name, kind.timed_steps, kind.mean_seconds(kind.slowest))
                more = _time_steps(replica, step, kind.missing_steps())
                kind = dataclasses.replace(kind, ranks=list(map(concatenate, kind.ranks, more)))
            kinds[name] = kind
    return kinds


def _time_steps(replica: Replica, step: int, num_steps: int) -> list[RankMeasurement]:
    """Time ``num_steps`` steps like step number ``step``, and return every rank's measurement. Collective."""
    measurement = time_steps(replica, step, num_steps)
    ranks = [measurement] * dist.get_world_size()
    dist.all_gather_object(ranks, measurement)
    check_wire_bytes(ranks, replica.cell.backend)
    return ranks
