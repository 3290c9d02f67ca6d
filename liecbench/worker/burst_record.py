"""The record of one burst of a timing session, combined from the measurements of all ranks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from liecbench.results.records import Timing
from liecbench.worker.rank_measurement import RankMeasurement, other_cpu_share
from liecbench.worker.step_parts import StepParts
from liecbench.worker.step_timing import Burst

_NUM_QUANTILES: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The place of a contestant's turn in a timing session; the attributes are those of ``Timing``."""

    setting: str
    contestant: str
    placement: int
    round: int
    order: int


def burst_record(burst: Burst, turn: Turn, kind: str, kind_share: float) -> Timing:
    """Return the record of a burst, with the parts of the slowest rank's time and the bytes of the timed steps."""
    slowest, counters = burst.slowest, burst.slowest.counters
    parts = StepParts.of(burst.ranks)
    return Timing(
        setting=turn.setting,
        contestant=turn.contestant,
        kind=kind,
        kind_share=kind_share,
        placement=turn.placement,
        round=turn.round,
        order=turn.order,
        steps=burst.num_steps,
        seconds=slowest.train_seconds,
        compute_seconds=parts.compute_seconds,
        wire_seconds=parts.wire_seconds,
        compress_seconds=parts.compress_seconds,
        other_seconds=parts.other_seconds,
        exposed_seconds=slowest.exposed_seconds,
        communicate_seconds=counters.communicate_seconds,
        least_communicate_seconds=min(rank.counters.communicate_seconds for rank in burst.ranks),
        data_seconds=slowest.data_seconds,
        wire_bytes=_wire_bytes(burst.ranks, burst.num_steps),
        cpu_seconds=sum(rank.cpu_seconds * burst.num_steps / rank.num_steps for rank in burst.ranks),
        other_cpu_share=other_cpu_share(burst.ranks),
        peak_memory_bytes=max(rank.peak_memory_bytes for rank in burst.ranks),
        payload_bytes={
            "sent": [_of_timed(rank.counters.sent_bytes, rank) for rank in burst.ranks],
            "received": [_of_timed(rank.counters.received_bytes, rank) for rank in burst.ranks],
        },
        all_compress_seconds=counters.compress_seconds,
        step_quantiles=_quantiles(burst.step_seconds),
    )


def _of_timed(total: int, rank: RankMeasurement) -> int:
    """Return the part of ``total``, which includes the untimed step, that falls on the timed steps."""
    return round(total * len(rank.step_seconds) / rank.num_steps)


def _wire_bytes(ranks: Sequence[RankMeasurement], num_steps: int) -> dict[str, list[int]] | None:
    wire = [rank.wire_bytes for rank in ranks if rank.wire_bytes is not None]
    if len(wire) < len(ranks):
        return None
    share = num_steps / ranks[0].num_steps
    return {"sent": [round(sent * share) for sent, _ in wire], "received": [round(got * share) for _, got in wire]}


def _quantiles(seconds: Sequence[float]) -> list[float]:
    if len(seconds) <= _NUM_QUANTILES:
        return sorted(seconds)
    middles = (np.arange(_NUM_QUANTILES) + 0.5) / _NUM_QUANTILES
    return [float(f"{value:.4g}") for value in np.quantile(seconds, middles)]
