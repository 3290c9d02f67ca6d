"""Search for a break-even, the link rate at which a method is as fast as the baseline: choose the rate to measure next.

The bracket of a break-even is the range between the two measured rates around the break-even. Each new rate narrows the
bracket.
"""

import itertools
import math
import statistics
from collections.abc import Sequence
from typing import Final

from liecbench.results.bracket import bracket_of
from liecbench.results.ratio_interval import LogRatio

# A bracket is narrow enough if its ends are within 10 % of its middle.
_NARROW: Final = 0.10
# The next rate lies so far from the expected break-even that ln(speed-up) there is expected to be this × ``precision``.
_REACH: Final = 1.75


def next_rate(points: Sequence[tuple[int, LogRatio]], precision: float) -> int | None:
    """Return the link rate to measure next, in bits per second; None if the search for the break-even is over.

    There are two possible rates, one below and one above the expected break-even.

    The search is over in each of these cases:

    - No break-even, or more than one, is shown to lie between measured rates.
    - The ends of the bracket are within 10 % of its middle.
    - Each of the two possible rates lies outside the bracket or too close to a measured rate.

    Args:
        points: The measured rates in bits per second, lowest first, each with ln(seconds of the baseline ÷ seconds of
            the method).
        precision: The half-width of the confidence interval of a measured speed-up, as a fraction of the speed-up. If
            it is large, the possible rates can lie farther from the expected break-even.
    """
    found = bracket_of(points)
    if found.low is None or found.high is None or found.high <= found.low * (1 + _NARROW) / (1 - _NARROW):
        return None
    inside = [(rate, ratio) for rate, ratio in points if found.low <= rate <= found.high]
    crossing, slope = _crossing(inside)
    # Near the break-even, the speed-up cannot be told from 1. The error of ln(rate) there is about precision ÷ slope.
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


def measured_precision(points: Sequence[tuple[int, LogRatio]]) -> float:
    """Return the median half-width of the 95 % intervals of speed-ups; 0 if no speed-up has an interval.

    The half-width of an interval is (upper bound ÷ speed-up) − 1.

    Args:
        points: The measured rates in bits per second, each with ln(speed-up).
    """
    widths = []
    for _, ratio in points:
        found = ratio.estimate()
        if found.high is not None:
            widths.append(found.high / found.mean - 1)
    return statistics.median(widths) if widths else 0.0


def _rounded(rate: float) -> int:
    """Return a rate rounded to three significant digits."""
    return round(float(f"{rate:.3g}"))


def _crossing(inside: Sequence[tuple[int, LogRatio]]) -> tuple[float, float]:
    """Return ln(rate) of the expected break-even, and the absolute slope of ln(speed-up) over ln(rate) there.

    ln(speed-up) is interpolated linearly in ln(rate) between the measured rates. If ln(speed-up) crosses 0 several
    times, return the middle of the first and the last crossing, and the slope from the lowest to the highest rate.

    Args:
        inside: The measured rates in bits per second, lowest first, each with its ln(speed-up). The break-even is shown
            to lie between the lowest and the highest rate.
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
