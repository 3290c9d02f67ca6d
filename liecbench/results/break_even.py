"""Break-even bandwidth: the rate of the links below which a method beats the baseline, between measured rates."""

import itertools
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from liecbench.network.link_map import LinkMap
from liecbench.results.rows import Row
from liecbench.results.statistics import Estimate

Outcome = Literal["always", "never", "below", "above", "unclear"]
_NEEDED: Final = ("seconds_per_epoch", "speedup")


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """The rate at which a method's epochs take as long as the baseline's.

    Args:
        rows: The method's rows, slowest link first.
        outcome: ``below``: the method is faster below ``bits_per_second``; ``above``: faster above it; ``always`` and
            ``never``: from ``lowest_bits_per_second`` to ``highest_bits_per_second``; ``unclear``: the speed-up
            crosses 1 more than once, or never and the interval of one speed-up holds 1.
        bits_per_second: The rate, mean over seeds; without an interval if not all seeds cross.
        crossing_seeds: The number of seeds that cross in the same direction as the mean.
        num_seeds: The number of seeds that were compared at every rate.
        lowest_bits_per_second: The lowest rate that was measured.
        highest_bits_per_second: The highest rate that was measured.
    """

    rows: tuple[Row, ...]
    outcome: Outcome
    bits_per_second: Estimate | None
    crossing_seeds: int
    num_seeds: int
    lowest_bits_per_second: int
    highest_bits_per_second: int


def break_evens(rows: Sequence[Row], baseline: str) -> list[BreakEven]:
    """Return the break-even of every method that was compared with the baseline at two rates or more."""
    groups: dict[str, list[tuple[int, Row]]] = {}
    for row in rows:
        rate = symmetric_rate(row.fields.get("link"))
        if rate is not None and row.metrics["speedup"] is not None and row.algorithm != baseline:
            groups.setdefault(json.dumps(_without_link(row)), []).append((rate, row))
    return [_break_even(sorted(group, key=lambda pair: pair[0])) for group in groups.values() if len(group) > 1]


def symmetric_rate(link: object) -> int | None:
    """Return the rate of a link in bits per second; None unless the link is one rate for all and nothing else."""
    try:
        links = LinkMap.parse(link).links()
    except ValueError:
        return None
    if len(links) != 1 or links[0].needs_netem or links[0].up_bits_per_second != links[0].down_bits_per_second:
        return None
    return links[0].up_bits_per_second


def _without_link(row: Row) -> dict[str, Any]:
    # If links share one training, it is one method still: one row is trained, the others are composed.
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


def _outcome(speedups: Sequence[Estimate]) -> Outcome:
    """Return the outcome by the means if they cross 1; otherwise every interval must lie on the same side of 1."""
    changes = [faster for faster, _ in itertools.groupby(speedup.mean > 1 for speedup in speedups)]
    if len(changes) > 1:
        return "unclear" if len(changes) > 2 else "below" if changes[0] else "above"
    if any(s.low is not None and s.high is not None and s.low <= 1 <= s.high for s in speedups):
        return "unclear"
    return "always" if changes[0] else "never"


def _compared_seeds(group: list[tuple[int, Row]]) -> list[int]:
    """Return the seeds that were compared with the baseline at every rate."""
    compared = [{seed for seed, metrics in row.per_seed.items() if "speedup" in metrics} for _, row in group]
    return sorted(set.intersection(*compared))


def _of_means(group: list[tuple[int, Row]], seeds: Sequence[int], outcome: Outcome) -> Estimate | None:
    means = [
        (rate, {name: statistics.fmean(row.per_seed[seed][name] for seed in seeds) for name in _NEEDED})
        for rate, row in (group if seeds else ())
    ]
    rate = _crossing(means, outcome)
    return None if rate is None else Estimate(mean=rate, low=None, high=None)


def _crossing(points: Sequence[tuple[int, dict[str, float]]], outcome: Outcome) -> float | None:
    """Return the rate at which the method's seconds equal the baseline's, interpolated linearly in 1/rate.

    None unless they cross exactly once and in the direction of the outcome.
    """
    saved = [(1 / rate, _seconds_saved(metrics)) for rate, metrics in points]
    crossings = [(a, b) for a, b in itertools.pairwise(saved) if (a[1] > 0) != (b[1] > 0)]
    if len(crossings) != 1 or (saved[0][1] > 0) != (outcome == "below"):
        return None
    ((a, b),) = crossings
    return 1 / (a[0] - a[1] * (b[0] - a[0]) / (b[1] - a[1]))


def _seconds_saved(metrics: dict[str, float]) -> float:
    """Return the seconds per epoch that the baseline takes longer, which are linear in 1/rate."""
    return metrics["seconds_per_epoch"] * (metrics["speedup"] - 1)
