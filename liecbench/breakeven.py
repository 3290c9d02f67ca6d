"""Below which rate of the links a method beats the baseline: interpolated between the links that were measured."""

import itertools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from liecbench.link import Link
from liecbench.results import Estimate, Row

Verdict = Literal["always", "never", "below", "above", "unclear"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """Where a method's epochs take as long as the baseline's, over the rates that were measured.

    ``below``: it is faster below ``bits_per_second``, the mean over seeds with its 95 % interval; ``above``: faster
    above it; ``always`` and ``never`` hold from ``lowest_bits_per_second`` to ``highest_bits_per_second``; ``unclear``:
    it crosses more than once. ``rows`` are those of the method, slowest link first.
    """

    rows: tuple[Row, ...]
    verdict: Verdict
    bits_per_second: Estimate | None
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
        wires = Link.parse(link).wires()
    except ValueError:
        return None
    if len(wires) != 1 or wires[0].needs_netem or wires[0].up_bits_per_second != wires[0].down_bits_per_second:
        return None
    return wires[0].up_bits_per_second


def _without_link(row: Row) -> dict[str, Any]:
    # Of links that share a training one is trained and the others composed: still one method.
    timing = row.members[0].spec["timing"]
    return {**{name: value for name, value in row.fields.items() if name != "link"}, "timing": timing}


def _break_even(group: list[tuple[int, Row]]) -> BreakEven:
    rates = [rate for rate, _ in group]
    gains = [_gain(row) for _, row in group]
    verdict = _verdict(gains)
    crossings: list[float] = []
    if verdict in ("below", "above"):
        crossings = list(_seed_crossings(group))
    return BreakEven(
        rows=tuple(row for _, row in group),
        verdict=verdict,
        bits_per_second=Estimate.of(crossings) if crossings else None,
        lowest_bits_per_second=rates[0],
        highest_bits_per_second=rates[-1],
    )


def _gain(row: Row) -> float:
    speedup = row.metrics["speedup"]
    assert speedup is not None, "rows without one were left out"
    return math.log(speedup.mean)


def _verdict(gains: Sequence[float]) -> Verdict:
    signs = [gain > 0 for gain in gains]
    changes = sum(one != other for one, other in itertools.pairwise(signs))
    if changes > 1:
        return "unclear"
    if changes == 1:
        return "below" if signs[0] else "above"
    return "always" if signs[0] else "never"


def _seed_crossings(group: list[tuple[int, Row]]) -> Iterator[float]:
    """Of each seed that crosses once the rate where its line of seconds over 1/rate meets the baseline's."""
    compared = [{seed for seed, metrics in row.per_seed.items() if "speedup" in metrics} for _, row in group]
    seeds = set.intersection(*compared)
    for seed in sorted(seeds):
        points = [(1 / rate, _seconds_saved(row.per_seed[seed])) for rate, row in group]
        crossings = [
            a[0] - a[1] * (b[0] - a[0]) / (b[1] - a[1])
            for a, b in itertools.pairwise(points)
            if (a[1] > 0) != (b[1] > 0)
        ]
        if len(crossings) == 1:
            yield 1 / crossings[0]


def _seconds_saved(metrics: dict[str, float]) -> float:
    """Seconds an epoch that the baseline takes longer; computing and sending make them linear in 1/rate."""
    return metrics["seconds_per_epoch"] * (metrics["speedup"] - 1)
