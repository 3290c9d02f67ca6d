"""The times and wire bytes of epochs, computed from bursts, which are series of consecutive timed steps.

Steps of one step kind, such as averaging steps, do the same work. For each kind, the number of steps in the epoch is
multiplied by the mean step time of the kind's bursts. The sum over kinds is the time of the epoch.
"""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from liecbench.results.records import Epoch
from liecbench.results.timing_record import Timing

# Names of fields of an epoch, each with the name of the field of a burst from which it is computed.
_SECONDS: Final = {
    "train_seconds": "seconds",
    "compute_seconds": "compute_seconds",
    "exposed_seconds": "exposed_seconds",
    "exposed_wire_seconds": "wire_seconds",
    "exposed_compress_seconds": "compress_seconds",
    "other_seconds": "other_seconds",
    "compress_seconds": "all_compress_seconds",
    "communicate_seconds": "communicate_seconds",
    "least_communicate_seconds": "least_communicate_seconds",
    "data_seconds": "data_seconds",
    "cpu_seconds": "cpu_seconds",
}
_WAYS: Final = ("sent", "received")


@dataclass(frozen=True, slots=True, kw_only=True)
class KindMeans:
    """Means per step over all timed steps of one kind, such as averaging steps, of one method on one link.

    Attributes:
        share: The share of the method's steps that are of this kind in a long training, from 0 to 1.
        seconds: Mean seconds per step. The keys are names of fields of ``Epoch``, such as ``train_seconds``. Each burst
            (series of consecutive timed steps) has the same weight.
        wire_bytes: Mean wire bytes per step: lists ``sent`` and ``received``, one number per rank; None if not counted.
        payload_bytes: Mean payload bytes per step: lists ``sent`` and ``received``, one number per rank.
        step_quantiles: A sample of the seconds of single steps. Each burst adds evenly spaced quantiles of its steps'
            seconds, in ascending order.
    """

    share: float
    seconds: dict[str, float]
    wire_bytes: dict[str, list[float]] | None
    payload_bytes: dict[str, list[float]]
    step_quantiles: list[float]

    @classmethod
    def of(cls, bursts: Sequence[Timing]) -> Self:
        """Return the mean seconds and mean bytes per step over ``bursts``.

        A burst is a series of consecutive timed steps. All bursts are of one step kind, one method and one link.
        """
        wire = [burst.wire_bytes for burst in bursts if burst.wire_bytes is not None]
        steps = sum(burst.steps for burst in bursts)
        return cls(
            share=bursts[-1].kind_share,
            seconds={
                name: statistics.fmean(getattr(burst, source) / burst.steps for burst in bursts)
                for name, source in _SECONDS.items()
            },
            wire_bytes=None if len(wire) < len(bursts) else _mean_bytes(wire, steps),
            payload_bytes=_mean_bytes([burst.payload_bytes for burst in bursts], steps),
            step_quantiles=[seconds for burst in bursts for seconds in burst.step_quantiles],
        )


def kind_means(timings: Sequence[Timing]) -> dict[str, KindMeans]:
    """Return the mean seconds and bytes per step for each step kind. The keys are the kinds, such as ``averaging``.

    ``timings`` are all bursts (series of consecutive timed steps) of one method on one link.
    """
    by_kind: dict[str, list[Timing]] = {}
    for timing in timings:
        by_kind.setdefault(timing.kind, []).append(timing)
    return {kind: KindMeans.of(bursts) for kind, bursts in by_kind.items()}


def compose_epoch(trained: Epoch, kinds: Mapping[str, KindMeans], timings: Sequence[Timing], cell: str) -> Epoch:
    """Return the record of an epoch of a cell whose steps were only timed.

    Losses, accuracies and payload bytes come from an epoch of another cell, which was trained.

    Args:
        trained: The epoch of the trained cell. All its step kinds are in ``kinds``.
        kinds: The means of each step kind, from which times and wire bytes are computed.
        timings: The bursts (series of consecutive timed steps) from which ``kinds`` was computed.
        cell: The id of the timed cell.
    """
    counts = {kind: float(n) for kind, n in (trained.step_kinds or {}).items()}
    return _with_times(trained, counts, kinds, timings, cell)


def long_run_epoch(trained: Epoch, kinds: Mapping[str, KindMeans], timings: Sequence[Timing], cell: str) -> Epoch:
    """Return an epoch with the mean times and bytes that a timed cell's epochs would have in a long training.

    In a short training, a rare step kind, such as averaging steps, can be missing or be too frequent. In the returned
    epoch, each kind has the share ``KindMeans.share`` of the steps.

    Args:
        trained: The epoch that provides the losses, the accuracies and the number of steps: an epoch of the cell that
            was trained, or ``untrained_epoch`` if nothing was trained.
        kinds: The means of each step kind, from which times, wire bytes and payload bytes are computed.
        timings: The bursts (series of consecutive timed steps) from which ``kinds`` was computed.
        cell: The id of the timed cell.
    """
    counts = {kind: trained.steps * means.share for kind, means in kinds.items() if means.share}
    epoch = _with_times(trained, counts, kinds, timings, cell)
    payload = _sum_bytes([(n, kinds[kind].payload_bytes) for kind, n in counts.items()])
    return dataclasses.replace(epoch, payload_bytes=payload)


def _with_times(
    trained: Epoch, counts: Mapping[str, float], kinds: Mapping[str, KindMeans], timings: Sequence[Timing], cell: str
) -> Epoch:
    shares = [burst.other_cpu_share for burst in timings if burst.other_cpu_share is not None]
    wire = [(n, per_step) for kind, n in counts.items() if (per_step := kinds[kind].wire_bytes) is not None]
    changes: dict[str, Any] = {
        name: sum(n * kinds[kind].seconds[name] for kind, n in counts.items()) for name in _SECONDS
    }
    return dataclasses.replace(
        trained,
        cell=cell,
        timed_steps=trained.steps,
        step_seconds=_quantiles(counts, kinds),
        wire_bytes=None if len(wire) < len(counts) else _sum_bytes(wire),
        other_cpu_share=statistics.fmean(shares) if shares else None,
        gpu=None,  # the cell was trained without shaped links, so that its GPUs waited less than those of the timed one
        **changes,
    )


def _quantiles(counts: Mapping[str, float], kinds: Mapping[str, KindMeans]) -> dict[str, float]:
    """Return the median and the 95th percentile of the seconds per step, under the keys ``median`` and ``p95``.

    The samples of step seconds of all step kinds are pooled. The weight of a kind is its number of steps.

    Args:
        counts: The number of steps of each step kind.
        kinds: The measurements of each step kind. Only the sample of step seconds, ``step_quantiles``, is used.
    """
    weighted = sorted(
        (seconds, n / len(kinds[kind].step_quantiles))
        for kind, n in counts.items()
        for seconds in kinds[kind].step_quantiles
    )
    return {"median": _quantile(weighted, 0.5), "p95": _quantile(weighted, 0.95)}


def _quantile(weighted: Sequence[tuple[float, float]], fraction: float) -> float:
    wanted, passed = fraction * sum(weight for _, weight in weighted), 0.0
    for seconds, weight in weighted:
        passed += weight
        if passed >= wanted:
            return seconds
    return weighted[-1][0]


def _mean_bytes(bursts: Sequence[dict[str, list[int]]], steps: int) -> dict[str, list[float]]:
    return {way: [sum(ranks) / steps for ranks in zip(*(b[way] for b in bursts), strict=True)] for way in _WAYS}


def _sum_bytes(kinds: Sequence[tuple[float, dict[str, list[float]]]]) -> dict[str, list[int]]:
    return {
        way: [round(sum(ranks)) for ranks in zip(*([n * each for each in b[way]] for n, b in kinds), strict=True)]
        for way in _WAYS
    }
