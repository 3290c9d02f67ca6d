"""Below which rate of the links a method beats the baseline: interpolated between the links that were measured."""

import itertools
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from liecbench.network.link_map import LinkMap
from liecbench.results.comparison import Estimate, Row

Verdict = Literal["always", "never", "below", "above", "unclear"]
_NEEDED: Final = ("seconds_per_epoch", "speedup")


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """Where a method's epochs take as long as the baseline's, over the rates that were measured.

    ``below``: it is faster below ``bits_per_second``, the mean over seeds with its 95 % interval; ``above``: faster
    above it; ``always`` and ``never`` hold from ``lowest_bits_per_second`` to ``highest_bits_per_second``; ``unclear``:
    it crosses more than once, or does not and the interval of a speed-up holds 1. ``crossing_seeds`` of its seeds cross
    as the mean does; where not all do, the rate is the mean's and has no interval. ``rows`` are those of the method,
    slowest link first.
    """

    rows: tuple[Row, ...]
    verdict: Verdict
    bits_per_second: Estimate | None
    crossing_seeds: int
    num_seeds: int
    lowest_bits_per_second: int
    highest_bits_per_second: int


def break_evens(rows: Sequence[Row], baseline: str) -> list[BreakEven]:
    """One for every method that was measured with the baseline at two rates or more, in the order of the rows."""
    groups: dict[str, list[tuple[int, Row]]] = {}
    for row in rows:
        rate = symmetric_rate(row.fields.get("link"))
        if rate is not None and row.metrics["speedup"] is not None and row.fields["algorithm"] != baseline:
            groups.setdefault(json.dumps(_without_link(row)), []).append((rate, row))
    return [_break_even(sorted(group, key=lambda pair: pair[0])) for group in groups.values() if len(group) > 1]


def symmetric_rate(link: object) -> int | None:
    """The rate of a link that is nothing but one rate, in bits per second."""
    try:
        links = LinkMap.parse(link).links()
    except ValueError:
        return None
    if len(links) != 1 or links[0].needs_netem or links[0].up_bits_per_second != links[0].down_bits_per_second:
        return None
    return links[0].up_bits_per_second


def _without_link(row: Row) -> dict[str, Any]:
    # Of links that share a training one is trained and the others composed: still one method.
    timing = row.members[0].spec["timing"]
    return {**{name: value for name, value in row.fields.items() if name != "link"}, "timing": timing}


def _break_even(group: list[tuple[int, Row]]) -> BreakEven:
    rates = [rate for rate, _ in group]
    verdict = _verdict([speedup for _, row in group if (speedup := row.metrics["speedup"]) is not None])
    seeds = _seeds(group)
    rate, crossings = None, list[float]()
    if verdict in ("below", "above"):
        found = [_crossing([(r, row.per_seed[seed]) for r, row in group], verdict) for seed in seeds]
        crossings = [crossing for crossing in found if crossing is not None]
        rate = Estimate.of(crossings) if len(crossings) == len(seeds) else _of_means(group, seeds, verdict)
    return BreakEven(
        rows=tuple(row for _, row in group),
        verdict=verdict,
        bits_per_second=rate,
        crossing_seeds=len(crossings),
        num_seeds=len(seeds),
        lowest_bits_per_second=rates[0],
        highest_bits_per_second=rates[-1],
    )


def _verdict(speedups: Sequence[Estimate]) -> Verdict:
    """By the means where they cross; where they do not, every interval must lie on the same side of 1."""
    changes = [faster for faster, _ in itertools.groupby(speedup.mean > 1 for speedup in speedups)]
    if len(changes) > 1:
        return "unclear" if len(changes) > 2 else "below" if changes[0] else "above"
    if any(s.low is not None and s.high is not None and s.low <= 1 <= s.high for s in speedups):
        return "unclear"
    return "always" if changes[0] else "never"


def _seeds(group: list[tuple[int, Row]]) -> list[int]:
    """Those that were compared at every rate."""
    compared = [{seed for seed, metrics in row.per_seed.items() if "speedup" in metrics} for _, row in group]
    return sorted(set.intersection(*compared))


def _of_means(group: list[tuple[int, Row]], seeds: Sequence[int], verdict: Verdict) -> Estimate | None:
    means = [
        (rate, {name: statistics.fmean(row.per_seed[seed][name] for seed in seeds) for name in _NEEDED})
        for rate, row in (group if seeds else ())
    ]
    rate = _crossing(means, verdict)
    return None if rate is None else Estimate(mean=rate, low=None, high=None)


def _crossing(points: Sequence[tuple[int, dict[str, float]]], verdict: Verdict) -> float | None:
    """The rate where seconds over 1/rate meet the baseline's, if they do so once and in the verdict's direction."""
    saved = [(1 / rate, _seconds_saved(metrics)) for rate, metrics in points]
    crossings = [(a, b) for a, b in itertools.pairwise(saved) if (a[1] > 0) != (b[1] > 0)]
    if len(crossings) != 1 or (saved[0][1] > 0) != (verdict == "below"):
        return None
    ((a, b),) = crossings
    return 1 / (a[0] - a[1] * (b[0] - a[0]) / (b[1] - a[1]))


def _seconds_saved(metrics: dict[str, float]) -> float:
    """Seconds an epoch that the baseline takes longer; computing and sending make them linear in 1/rate."""
    return metrics["seconds_per_epoch"] * (metrics["speedup"] - 1)
