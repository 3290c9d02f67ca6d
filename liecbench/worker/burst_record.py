"""The record of one burst (consecutive timed steps of one kind), combined from the measurements of all ranks."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from liecbench.results.timing_record import Timing
from liecbench.worker.rank_measurement import RankMeasurement, other_cpu_share
from liecbench.worker.step_parts import StepParts
from liecbench.worker.step_timing import Burst

_NUM_QUANTILES: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The position of one turn in a timing session, in which several methods (the contestants) are timed in turns.

    A cell is one configuration with one seed.

    Attributes:
        setting: A key that is equal for all cells that are compared with each other (``Cell.setting``).
        contestant: A key that is equal for all cells whose step times this turn measures (``Cell.contestant``).
        placement: The number of times that the contestants were created before, in this session and in earlier
            sessions. After every few rounds, all contestants are created again in memory.
        round: The number of the turn's round, from 0 after every creation. In a round, every contestant has one turn.
        order: The position of the turn within the round, from 0.
        compute_step_seconds: The seconds that the model and the optimizer compute in one step of the contestant,
            measured without DistributedDataParallel and without the method.
    """

    setting: str
    contestant: str
    placement: int
    round: int
    order: int
    compute_step_seconds: float


def burst_record(burst: Burst, turn: Turn, kind: str, kind_share: float, *, untimed_sends: bool = True) -> Timing:
    """Return the record of a burst (consecutive steps of one kind), combined from the measurements of all ranks.

    Args:
        burst: The measurements of all ranks.
        turn: The turn of the timing session in which the burst was measured. In a turn, one method is timed.
        kind: The name of the kind of the burst's steps, such as ``averaging``.
        kind_share: The share of steps of this kind in a long training, from 0 to 1.
        untimed_sends: True if the untimed step before the timed steps sends messages. With 4 timed steps, the byte
            counts of ``burst`` are then those of 5 steps, and the record has 4/5 of them.
    """
    sending = burst.num_steps + untimed_sends
    slowest, counters = burst.slowest, burst.slowest.counters
    parts = StepParts.of(burst.ranks, compute_seconds=burst.num_steps * turn.compute_step_seconds)
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
        thread_seconds=statistics.fmean(rank.compute_seconds for rank in burst.ranks),
        wire_seconds=parts.wire_seconds,
        compress_seconds=parts.compress_seconds,
        other_seconds=parts.other_seconds,
        exposed_seconds=slowest.exposed_seconds,
        communicate_seconds=counters.communicate_seconds,
        least_communicate_seconds=min(rank.counters.communicate_seconds for rank in burst.ranks),
        data_seconds=slowest.data_seconds,
        wire_bytes=_wire_bytes(burst.ranks, burst.num_steps / sending),
        cpu_seconds=sum(rank.cpu_seconds * burst.num_steps / rank.num_steps for rank in burst.ranks),
        other_cpu_share=other_cpu_share(burst.ranks),
        peak_memory_bytes=max(rank.peak_memory_bytes for rank in burst.ranks),
        payload_bytes={
            "sent": [round(rank.counters.sent_bytes * burst.num_steps / sending) for rank in burst.ranks],
            "received": [round(rank.counters.received_bytes * burst.num_steps / sending) for rank in burst.ranks],
        },
        all_compress_seconds=counters.compress_seconds,
        step_quantiles=_quantiles(burst.step_seconds),
        late_seconds=max((rank.late_seconds for rank in burst.ranks if rank.late_seconds is not None), default=None),
    )


def _wire_bytes(ranks: Sequence[RankMeasurement], share: float) -> dict[str, list[int]] | None:
    """Return the wire bytes of a burst's timed steps: lists "sent" and "received", one number per rank.

    Return None if the bytes of any rank are unknown.

    Args:
        ranks: The measurements of all ranks. Their bytes include the untimed step before the timed steps.
        share: The share of the bytes to return. For 9 timed steps, it is 0.9, or 1 if the untimed step sends nothing.
    """
    wire = [rank.wire_bytes for rank in ranks if rank.wire_bytes is not None]
    if len(wire) < len(ranks):
        return None
    return {"sent": [round(sent * share) for sent, _ in wire], "received": [round(got * share) for _, got in wire]}


def _quantiles(seconds: Sequence[float]) -> list[float]:
    if len(seconds) <= _NUM_QUANTILES:
        return sorted(seconds)
    middles = (np.arange(_NUM_QUANTILES) + 0.5) / _NUM_QUANTILES
    return [float(f"{value:.4g}") for value in np.quantile(seconds, middles)]
