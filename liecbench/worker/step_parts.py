"""Division of the time of timed steps into computing, transfer, compression, and everything else."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from liecbench.worker.rank_measurement import RankMeasurement


@dataclass(frozen=True, slots=True, kw_only=True)
class StepParts:
    """The total seconds of consecutive timed steps, divided into four parts.

    The sum of the parts is the slowest rank's ``train_seconds``. Communication and compression are exposed if the
    training thread waits for them.

    Attributes:
        compute_seconds: Computing of the model and the optimizer, without waiting for a processor.
        wire_seconds: Exposed transfer of messages, at most bytes ÷ link rate. If the link rate is unknown, all exposed
            communication counts as transfer.
        compress_seconds: Exposed compression and decompression.
        other_seconds: Everything else: latency, waiting for other ranks, waiting for a processor. In a timing session
            also the time by which communication slows down computing.
    """

    compute_seconds: float
    wire_seconds: float
    compress_seconds: float
    other_seconds: float

    @classmethod
    def of(cls, ranks: Sequence[RankMeasurement], compute_seconds: float | None = None) -> Self:
        """Divide the seconds of the slowest rank's timed steps into computing, transfer, compression and the rest.

        Transfer and compression are those of one rank: the rank that probably waits least for other ranks, judging by
        how long it communicates and compresses.

        Args:
            ranks: The measurement of each rank.
            compute_seconds: The seconds that computing takes in these steps if no rank communicates. If None, the mean
                of ``compute_seconds`` over ``ranks`` is used.
        """
        total = max(rank.train_seconds for rank in ranks)
        if compute_seconds is None:
            compute_seconds = statistics.fmean(rank.compute_seconds for rank in ranks)
        compute = min(compute_seconds, total)
        if any(rank.link_seconds is None for rank in ranks):
            # Communication time, exposed or hidden, includes waiting for other ranks.
            busiest = min(ranks, key=lambda rank: rank.counters.communicate_seconds)
        else:
            # Transfer, at most bytes ÷ link rate, hardly includes waiting: the rank with the most of it waits least.
            busiest = max(ranks, key=lambda rank: rank.wire_seconds + rank.exposed_compress_seconds)
        compress = min(busiest.exposed_compress_seconds, total - compute)
        wire = min(busiest.wire_seconds, total - compute - compress)
        return cls(
            compute_seconds=compute,
            wire_seconds=wire,
            compress_seconds=compress,
            other_seconds=max(0.0, total - compute - compress - wire),
        )
