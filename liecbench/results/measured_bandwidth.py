"""The bandwidth that methods need, computed from rows that were measured at one or more link rates.

The needed rate is the lowest link rate at which a method reaches a given compute utilization. The wait of a step is its
seconds beyond computing ÷ its compute seconds. For example, the compute utilization is 50 % if the wait is 1. A step
computes equally long at all link rates, so its compute seconds are the median over the rows.

The wait is a rising, convex function of 1 ÷ rate, because computing hides a smaller share of the transfer on a slower
link. A straight line through the waits at two measured rates reaches the wanted wait at some rate r. If r lies between
the two rates, the real wait at r is no longer than wanted, so r is an upper bound of the needed rate. If r lies outside
the two rates, the real wait at r is at least as long as wanted, so r is a lower bound.
"""

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from liecbench.network.link_map import LinkMap
from liecbench.results.bandwidth_needed import UTILIZATIONS, BandwidthNeeded, Basis, LimitingPart, NeededRate
from liecbench.results.link_rates import rate_and_shape, without_link
from liecbench.results.row_flags import is_busy
from liecbench.results.row_labels import Labels, provenance, shared_provenance
from liecbench.results.rows import Row
from liecbench.results.whose_compute import step_compute


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """The seconds of a step beyond computing, divided by the step's compute seconds, at one link rate.

    For example, a wait of 0.5 means that a step takes 1.5 times as long as its computing.

    Attributes:
        rate: The link rate in bits per second.
        mean: The mean wait.
        low: The lower end of the confidence interval of ``mean``; equal to ``mean`` if there is no interval.
        high: The upper end of the confidence interval; equal to ``mean`` if there is no interval.
        rest: The part of ``mean`` that no faster link shortens: compression, latency, and waiting for other ranks.
        communication: All seconds of communication in a step, also those that computing hides, divided by the compute
            seconds.
    """

    rate: float
    mean: float
    low: float
    high: float
    rest: float
    communication: float

    def rest_at(self, bound: float) -> float:
        """Return the part of the wait ``bound`` that would remain on an infinitely fast link.

        The part is ``bound`` × ``rest`` ÷ ``mean``, or 0 if ``mean`` is 0.

        Args:
            bound: A wait to assume instead of ``mean``, such as ``low`` or ``high``.
        """
        return self.rest * bound / self.mean if self.mean else 0.0

    @property
    def least_slope(self) -> float:
        """A lower bound of the wait's slope at the link rate ``rate``.

        The wait is a convex function of x = 1 ÷ link rate: its slope grows with x. On an infinitely fast link (x = 0),
        the wait would be ``rest``, the part that no faster link shortens. At x = 1 ÷ ``rate``, the wait is ``mean``.
        The bound is the slope of the straight line between these two points. At the line's right end, a convex function
        is at least as steep as the line.
        """
        return (self.mean - self.rest) * self.rate

    @property
    def slope(self) -> float:
        """An upper bound of the wait's slope at the link rate ``rate``.

        The wait is a function of 1 ÷ link rate. If computing hid no communication and communication had no latency, the
        slope of the wait would be ``communication`` × ``rate``. The bound is the larger of this slope and
        ``least_slope``.
        """
        return max(self.communication * self.rate, self.least_slope)


def measured_bandwidth(rows: Sequence[Row], labels: Labels) -> list[BandwidthNeeded]:
    """Return the link rates that each method needs to reach the compute utilizations ``UTILIZATIONS``.

    Rows that differ only in the link rate share one result. The results are in the order of the rows.

    Three kinds of rows are ignored:

    - rows whose link has no rate limit
    - rows whose records do not say how much of the time is computing
    - rows that a run added to find a break-even, if the scenario itself asks for an equal row
    """
    groups: dict[tuple[str, str], dict[int, Row]] = {}
    for row in sorted(rows, key=lambda row: row.is_added):
        link = rate_and_shape(row.cells[0].spec["link"])
        if link is not None and row.metrics["compute_utilization"] is not None and _seconds(row, "compute"):
            groups.setdefault((without_link(row), link[1]), {}).setdefault(link[0], row)
    shared = shared_provenance([list(group.values()) for group in groups.values()])
    return [_bandwidth(dict(sorted(group.items())), labels, shared) for group in groups.values()]


def needed_rate(waits: Sequence[Wait], utilization: float) -> NeededRate:
    """Return a range of link rates that contains the lowest rate at which a method reaches ``utilization``.

    An end of the range is None if it cannot be computed from ``waits``. If both ends are None, ``basis`` is
    ``measured`` if no link rate reaches ``utilization``, else ``unknown``.

    Args:
        waits: The waits of the method at one or more link rates, slowest link first.
        utilization: The compute utilization to reach, above 0 and at most 1.
    """
    target, fastest = 1 / utilization - 1, waits[-1]
    if target < fastest.rest_at(fastest.low):
        return NeededRate(
            utilization=utilization, low_bits_per_second=None, high_bits_per_second=None, basis="measured"
        )
    low, high = _lower_bound(waits, target), _upper_bound(waits, target)
    if high is None:
        low = None if low is None else min(low, fastest.rate)
    elif low is not None:
        low = min(low, high)
    if low is None and high is None:
        basis: Basis = "unknown"
    elif len(waits) == 1 and (low, high) != (fastest.rate, None):
        basis = "estimated"
    else:
        basis = "measured" if high is None or high <= fastest.rate else "extrapolated"
    return NeededRate(utilization=utilization, low_bits_per_second=low, high_bits_per_second=high, basis=basis)


def _upper_bound(waits: Sequence[Wait], target: float) -> float | None:
    """Return an upper bound of the lowest link rate, in bits per second, at which the wait is at most ``target``.

    A measured rate is fast enough if the upper end of its wait's confidence interval is at most ``target``.

    - If no measured rate is fast enough, the bound is extrapolated, or None if no rate is high enough.
    - If only some measured rates are fast enough, the bound is interpolated between the slowest of them and the next
      slower measured rate.
    - If all of several measured rates are fast enough, the bound is the slowest of them.
    - If there is only one measured rate, and it is fast enough, the bound is an estimate from ``Wait.slope`` that is at
      most this rate.

    Args:
        waits: The waits of one method at one or more link rates, slowest first.
        target: The wait to reach.
    """
    fast = waits[-1]
    if fast.high > target:
        rest = fast.rest_at(fast.high)
        return fast.rate * (fast.high - rest) / (target - rest) if target > rest else None
    for slow in reversed(waits[:-1]):
        if slow.high > target:
            share = (target - fast.high) / (slow.high - fast.high)
            return 1 / (1 / fast.rate + share * (1 / slow.rate - 1 / fast.rate))
        fast = slow
    return fast.rate if len(waits) > 1 or not fast.slope else _line(fast.rate, fast.high, target, fast.slope)


def _lower_bound(waits: Sequence[Wait], target: float) -> float | None:
    """Return a lower bound of the lowest link rate, in bits per second, at which the wait is at most ``target``.

    The result depends on ``Wait.low`` at the measured rates:

    - above ``target`` at all rates: the highest measured rate, or a higher rate
    - above ``target`` at slow rates only: a rate between the fastest of the slow rates and the next measured rate
    - at most ``target`` at all of several rates: None
    - at most ``target`` at the only rate: a rate estimated from ``Wait.least_slope``, or None if this slope is 0

    Args:
        waits: The waits of one method at one or more link rates, slowest first.
        target: The wait to reach.
    """
    first = waits[0]
    if first.low <= target:
        estimated = len(waits) == 1 and first.least_slope > 0
        return _line(first.rate, first.low, target, first.least_slope) if estimated else None
    index = next((place for place, wait in enumerate(waits) if wait.low <= target), len(waits))
    slow, slower, faster = waits[index - 1], waits[: index - 1], waits[index:]
    steepest = min([slow.slope, *(_slope(slower[-1], slow) for _ in slower[-1:])])
    bounds = [_line(slow.rate, slow.low, target, steepest) if steepest > 0 else slow.rate]
    if faster:
        fast = faster[0]
        flattest = _slope(fast, faster[1]) if len(faster) > 1 else fast.least_slope
        bounds += [_line(fast.rate, fast.low, target, flattest)] if flattest > 0 else []
        bounds = [min(bound, fast.rate) for bound in bounds]
    return max(slow.rate, *bounds)


def _line(rate: float, wait: float, target: float, slope: float) -> float:
    """Return the link rate at which the wait is ``target``, if the wait is a linear function of 1 ÷ rate.

    Rates are in bits per second. A wait is the time of a step beyond computing, as a multiple of the compute seconds.
    Return infinity if the wait is above ``target`` at every rate.

    Args:
        rate: The link rate of a known point of the function.
        wait: The wait at ``rate``.
        target: The wait to reach.
        slope: The slope of the function; above 0.
    """
    inverse = 1 / rate + (target - wait) / slope
    return 1 / inverse if inverse > 0 else math.inf


def _slope(slow: Wait, fast: Wait) -> float:
    """Return the slope of the straight line through the two points (1 ÷ rate, mean wait), in bits per second."""
    return (slow.mean - fast.mean) / (1 / slow.rate - 1 / fast.rate)


def _bandwidth(rows_by_rate: Mapping[int, Row], labels: Labels, shared: str) -> BandwidthNeeded:
    """Return the link rates that one method needs in one setting to reach the utilizations ``UTILIZATIONS``.

    Args:
        rows_by_rate: The method's rows by link rate in bits per second, slowest link first.
        labels: Names the rows.
        shared: The ``provenance`` of the result, such as `` (replayed)``. If ``shared`` is empty, the ``provenance`` is
            computed from ``rows_by_rate``.
    """
    rows = list(rows_by_rate.values())
    compute_seconds = statistics.median(_seconds(row, "compute") for row in rows)
    waits = _falling([_wait(row, rate, compute_seconds) for rate, row in rows_by_rate.items()])
    fastest, compute = rows[-1], step_compute(rows)
    assert compute is not None, "rows with a compute utilization have compute seconds"
    link = LinkMap.parse(fastest.cells[0].spec["link"])
    return BandwidthNeeded(
        name=labels.whole(fastest, without=("link", "workers")),
        provenance=shared or provenance(rows),
        workers=int(fastest.fields["workers"]),
        link=link,
        compute=compute,
        rates=tuple(needed_rate(waits, utilization) for utilization in UTILIZATIONS),
        highest_utilization=1 / (1 + waits[-1].rest),
        limited_by=_limiting_part(fastest),
        num_rates=len(rows),
    )


def _wait(row: Row, rate: int, compute_seconds: float) -> Wait:
    """Return the wait of a row at its link rate.

    The mean wait is the row's mean seconds per epoch ÷ ``compute_seconds`` − 1, but at least 0. For example, the mean
    wait is 0.5 if an epoch takes 30 s, of which computing takes 20 s.

    Args:
        row: A row with a measured time per epoch.
        rate: The row's link rate, in bits per second.
        compute_seconds: The compute seconds per epoch, the median over the method's rows at all link rates.
    """
    seconds = row.metrics["seconds_per_epoch"]
    assert seconds is not None, "rows with a compute utilization are timed"
    low, mean, high = (
        max(0.0, (seconds.mean if value is None else value) / compute_seconds - 1)
        for value in (seconds.low, seconds.mean, seconds.high)
    )
    return Wait(
        rate=float(rate),
        mean=mean,
        low=low,
        high=high,
        rest=max(0.0, mean - _seconds(row, "wire") / compute_seconds),
        communication=_seconds(row, "communicate") / compute_seconds,
    )


def _falling(waits: Sequence[Wait]) -> list[Wait]:
    """Return ``waits`` with intervals narrowed by the rule that a faster link never waits longer.

    Each low end becomes the largest low end at an equal or higher rate. Each high end becomes the smallest high end at
    an equal or lower rate.

    Args:
        waits: The waits at several link rates, slowest link first.
    """
    lows = list(itertools.accumulate((wait.low for wait in reversed(waits)), max))[::-1]
    highs = itertools.accumulate((wait.high for wait in waits), min)
    return [replace(wait, low=low, high=high) for wait, low, high in zip(waits, lows, highs, strict=True)]


def _limiting_part(row: Row) -> LimitingPart | None:
    """Return what training would wait for most if the link had no rate limit; None if it would not wait."""
    compress, other = _seconds(row, "exposed_compress"), _seconds(row, "other")
    if not compress and not other:
        return None
    if compress >= other:
        return "compression"
    return "processor" if is_busy(row) else "latency"


def _seconds(row: Row, part: str) -> float:
    """Return a row's seconds per epoch for a part such as ``compute``; 0 if they are unknown."""
    value = row.metrics[f"{part}_seconds_per_epoch"]
    return 0.0 if value is None else value.mean
