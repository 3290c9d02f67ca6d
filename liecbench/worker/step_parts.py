"""Division of the steps' time into computing, transfer, compression, and everything else."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from liecbench.worker.rank_measurement import RankMeasurement


@dataclass(frozen=True, slots=True, kw_only=True)
class StepParts:
    """The parts of the seconds of consecutive timed steps; together they are the slowest rank's ``train_seconds``.

    Attributes:
        compute_seconds: The ranks' mean time for the model and the optimizer on a processor of their own, the same for
            every method.
        wire_seconds: Exposed transfer: bytes ÷ measured rate.
        compress_seconds: Exposed compression and decompression.
        other_seconds: Everything else: latency, waiting for other ranks, waiting for a processor.
    """

    compute_seconds: float
    wire_seconds: float
    compress_seconds: float
    other_seconds: float

    @classmethod
    def of(cls, ranks: Sequence[RankMeasurement]) -> Self:
        """Return the parts, given the measurement of each rank.

        A rank that waits for others does not tell why the steps take so long. So transfer and compression are those of
        the rank that waits least: with known rates the rank with the most transfer and compression, else the rank with
        the least communication.
        """
        total = max(rank.train_seconds for rank in ranks)
        compute = min(statistics.fmean(rank.compute_seconds for rank in ranks), total)
        if any(rank.link_seconds is None for rank in ranks):
            busiest = min(ranks, key=lambda rank: rank.counters.communicate_seconds)
        else:
            busiest = max(ranks, key=lambda rank: rank.wire_seconds + rank.exposed_compress_seconds)
        compress = min(busiest.exposed_compress_seconds, total - compute)
        wire = min(busiest.wire_seconds, total - compute - compress)
        return cls(
            compute_seconds=compute,
            wire_seconds=wire,
            compress_seconds=compress,
            other_seconds=max(0.0, total - compute - compress - wire),
        )
