"""The link rate to measure next, so that the bracket of a break-even gets narrow."""

import itertools
import math
from collections.abc import Sequence
from typing import Final

from liecbench.results.break_even import bracket_of
from liecbench.results.ratio_interval import LogRatio

# A bracket is narrow enough if its ends are within 10 % of its middle.
_NARROW: Final = 0.10
# A rate is measured so far from the expected crossing that the speed-up there differs from 1 by this many precisions.
_REACH: Final = 1.75


def next_rate(points: Sequence[tuple[int, LogRatio]], precision: float) -> int | None:
    """Return the link rate to measure next, in bits per second; None if the bracket is as narrow as it can get.

    A bracket is narrow if it spans ±10 %. Where the speed-up changes slowly with the rate, a session that knows ratios
    to ``precision`` cannot tell them from 1 near the crossing: a slope s resolves ± precision ÷ s. There the bracket
    stays wider, and None is returned once rates at its ends were tried.

    Args:
        points: The measured rates, lowest first, each with ln(seconds of the baseline ÷ seconds of the method).
        precision: The half-width of the ratios' intervals, as a fraction.
    """
    found = bracket_of(points)
    if found.low is None or found.high is None or found.high <= found.low * (1 + _NARROW) / (1 - _NARROW):
        return None
    inside = [(rate, ratio) for rate, ratio in points if found.low <= rate <= found.high]
    crossing, slope = _crossing(inside)
    reach = max(math.log1p(_NARROW) * 0.95, _REACH * precision / slope)
    gaps = {
        math.exp(crossing - reach): crossing - math.log(found.low),
        math.exp(crossing + reach): math.log(found.high) - crossing,
    }
    for rate in sorted(gaps, key=lambda rate: -gaps[rate]):
        close = any(abs(math.log(rate / measured)) < reach / 2 for measured, _ in points)
        if found.low < rate < found.high and not close:
            return _rounded(rate)
    return None


def _rounded(rate: float) -> int:
    """Return a rate with three digits."""
    return round(float(f"{rate:.3g}"))


def _crossing(inside: Sequence[tuple[int, LogRatio]]) -> tuple[float, float]:
    """Return the logarithm of the rate at which the ratio is expected to be 1, and the slope there.

    The ratio is taken as linear in the logarithm of the rate between two measured rates; if it changes sign several
    times, the first and the last change are averaged.
    """
    found = []
    for (rate, ratio), (later, other) in itertools.pairwise(inside):
        if (ratio.mean > 0) != (other.mean > 0):
            slope = (other.mean - ratio.mean) / math.log(later / rate)
            found.append((math.log(rate) - ratio.mean / slope, abs(slope)))
    (first, _), (last, _) = found[0], found[-1]
    total = math.log(inside[-1][0] / inside[0][0])
    overall = abs(inside[-1][1].mean - inside[0][1].mean) / total
    return (first + last) / 2, overall if len(found) > 1 else found[0][1]
