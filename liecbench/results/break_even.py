"""Break-even bandwidth: the link rate at which a method and the baseline are equally fast, from measured rates."""

import itertools
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from liecbench.network.link_map import LinkMap
from liecbench.results.rows import Row
from liecbench.results.statistics import Estimate

BreakEvenOutcome = Literal["always", "never", "below", "above", "unclear"]
_NEEDED: Final = ("seconds_per_epoch", "speedup")


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """The break-even of one method: the link rate at which its epochs take as long as the baseline's.

    Args:
        rows: The method's rows, slowest link first.
        outcome: ``below``: the method is faster below ``bits_per_second``; ``above``: faster above it; ``always``:
            faster at every measured rate; ``never``: slower at every measured rate; ``unclear``: the speed-up crosses
            1 more than once, or it never crosses 1 but the interval of some speed-up contains 1.
        bits_per_second: The break-even rate, mean over seeds; computed from mean times and without an interval if not
            all seeds cross; None if the outcome is neither ``below`` nor ``above``, or if no rate can be computed.
        crossing_seeds: The number of seeds whose speed-up crosses 1 exactly once, in the direction of ``outcome``.
        num_seeds: The number of seeds that were compared with the baseline at every rate.
        lowest_bits_per_second: The lowest measured link rate.
        highest_bits_per_second: The highest measured link rate.
    """

    rows: tuple[Row, ...]
    outcome: BreakEvenOutcome
    bits_per_second: Estimate | None
    crossing_seeds: int
    num_seeds: int
    lowest_bits_per_second: int
    highest_bits_per_second: int


def break_evens(rows: Sequence[Row], baseline: str) -> list[BreakEven]:
    """Return the break-even of every method that was compared with the baseline at two or more link rates."""
    groups: dict[str, list[tuple[int, Row]]] = {}
    for row in rows:
        rate = symmetric_rate(row.fields.get("link"))
        if rate is not None and row.metrics["speedup"] is not None and row.algorithm != baseline:
            groups.setdefault(json.dumps(_without_link(row)), []).append((rate, row))
    return [_break_even(sorted(group, key=lambda pair: pair[0])) for group in groups.values() if len(group) > 1]


def symmetric_rate(link: object) -> int | None:
    """Return a link's rate in bits per second; None if rates differ by rank or direction, or the link needs netem."""
    try:
        links = LinkMap.parse(link).links()
    except ValueError:
        return None
    if len(links) != 1 or links[0].needs_netem or links[0].up_bits_per_second != links[0].down_bits_per_second:
        return None
    return links[0].up_bits_per_second


def _without_link(row: Row) -> dict[str, Any]:
    # The scenario's timing replaces the row's: one link's cells are trained and other links' cells are composed from
    # them, but they are cells of one method.
    timing = row.cells[0].spec["timing"]
    return {**{name: value for name, value in row.fields.items() if name != "link"}, "timing": timing}


def _break_even(group: list[tuple[int, Row]]) -> BreakEven:
    rates = [rate for rate, _ in group]
    outcome = _outcome([speedup for _, row in group if (speedup := row.metrics["speedup"]) is not None])
    seeds = _compared_seeds(group)
    rate, crossings = None, list[float]()
    if outcome in ("below", "above"):
        found = [_crossing([(r, row.per_seed[seed]) for r, row in group], outcome) for seed in seeds]
        crossings = [crossing for crossing in found if crossing is not None]
        rate = Estimate.of(crossings) if len(crossings) == len(seeds) else _of_means(group, seeds, outcome)
    return BreakEven(
        rows=tuple(row for _, row in group),
        outcome=outcome,
        bits_per_second=rate,
        crossing_seeds=len(crossings),
        num_seeds=len(seeds),
        lowest_bits_per_second=rates[0],
        highest_bits_per_second=rates[-1],
    )


def _outcome(speedups: Sequence[Estimate]) -> BreakEvenOutcome:
    """Return the outcome for a method's speed-ups, slowest link first.

    If their means cross 1 once, it is ``below`` or ``above``; if more than once, ``unclear``. If they never cross 1,
    it is ``unclear`` if the interval of any speed-up contains 1, else ``always`` or ``never``.
    """
    changes = [faster for faster, _ in itertools.groupby(speedup.mean > 1 for speedup in speedups)]
    if len(changes) > 1:
        return "unclear" if len(changes) > 2 else "below" if changes[0] else "above"
    if any(s.low is not None and s.high is not None and s.low <= 1 <= s.high for s in speedups):
        return "unclear"
    return "always" if changes[0] else "never"


def _compared_seeds(group: list[tuple[int, Row]]) -> list[int]:
    """Return the seeds that were compared with the baseline at every link rate of the group."""
    compared = [{seed for seed, metrics in row.per_seed.items() if "speedup" in metrics} for _, row in group]
    return sorted(set.intersection(*compared))


def _of_means(group: list[tuple[int, Row]], seeds: Sequence[int], outcome: BreakEvenOutcome) -> Estimate | None:
    means = [
        (rate, {name: statistics.fmean(row.per_seed[seed][name] for seed in seeds) for name in _NEEDED})
        for rate, row in (group if seeds else ())
    ]
    rate = _crossing(means, outcome)
    return None if rate is None else Estimate(mean=rate, low=None, high=None)


def _crossing(points: Sequence[tuple[int, dict[str, float]]], outcome: BreakEvenOutcome) -> float | None:
    """Return the link rate at which method and baseline take equal seconds per epoch, interpolated linearly in 1/rate.

    Return None unless the seconds cross exactly once, in the direction of ``outcome``.

    Args:
        points: Link rates in bits per second, lowest first, each with the method's metrics.
        outcome: ``below`` or ``above``.
    """
    saved = [(1 / rate, _seconds_saved(metrics)) for rate, metrics in points]
    crossings = [(a, b) for a, b in itertools.pairwise(saved) if (a[1] > 0) != (b[1] > 0)]
    if len(crossings) != 1 or (saved[0][1] > 0) != (outcome == "below"):
        return None
    ((a, b),) = crossings
    return 1 / (a[0] - a[1] * (b[0] - a[0]) / (b[1] - a[1]))


def _seconds_saved(metrics: dict[str, float]) -> float:
    """Return the baseline's seconds per epoch minus the method's: the difference is linear in 1/rate."""
    return metrics["seconds_per_epoch"] * (metrics["speedup"] - 1)
