"""The needed rate: the lowest link rate at which a method reaches a given compute utilization.

The wait of a step is its seconds beyond computing ÷ its compute seconds. For example, the compute utilization is 50 %
if the wait is 1.

The wait is a rising, convex function of 1 ÷ rate, because computing hides a smaller share of the transfer on a slower
link. A straight line through the waits at two measured rates reaches the wanted wait at some rate r. If r lies between
the two rates, the real wait at r is no longer than wanted, so r is an upper bound of the needed rate. If r lies outside
the two rates, the real wait at r is at least as long as wanted, so r is a lower bound.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from liecbench.results.bandwidth_needed import Basis, NeededRate


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


def narrowed(waits: Sequence[Wait]) -> list[Wait]:
    """Return ``waits`` with intervals narrowed by the rule that a faster link never waits longer.

    Each low end becomes the largest low end at an equal or higher rate. Each high end becomes the smallest high end at
    an equal or lower rate.

    Args:
        waits: The waits at several link rates, slowest link first.
    """
    lows = list(itertools.accumulate((wait.low for wait in reversed(waits)), max))[::-1]
    highs = itertools.accumulate((wait.high for wait in waits), min)
    return [replace(wait, low=low, high=high) for wait, low, high in zip(waits, lows, highs, strict=True)]


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
