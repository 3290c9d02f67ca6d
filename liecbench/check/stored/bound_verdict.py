"""Decide from a few seeds whether results are worse than a baseline by more than a margin.

The bounds of the mean are one-sided Student-t confidence bounds.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from liecbench.check.verdict import Verdict
from liecbench.results.statistics import Estimate, spread
from liecbench.results.student_t import t_quantile

ENOUGH_SEEDS: Final = 5
MOST_SEEDS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The mean over seeds of the amount by which results are worse than the baseline, with confidence bounds.

    Attributes:
        mean: The mean; negative if the results are better.
        low: The lower bound. The true mean is below ``low`` with the probability ``level``, an argument of ``decide``.
        high: The upper bound. The true mean is above ``high`` with the same probability ``level``.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundVerdict:
    """A verdict on whether results are worse than the baseline by more than a margin, on average over seeds.

    Attributes:
        verdict: The verdict.
        bounds: The mean over seeds of the amount by which a result is worse, with confidence bounds. None if there is
            only one seed, and its result differs from the baseline's.
        smallest_detectable: The mean above which the verdict would be FAIL, if the spread over seeds stayed the same.
            None unless the verdict is INCONCLUSIVE and ``bounds`` is given.
        seeds_needed: The number of seeds with which the verdict would be PASS or FAIL, if mean and spread stayed the
            same. None if ``smallest_detectable`` is None, or if the number is above ``MOST_SEEDS``.
    """

    verdict: Verdict
    bounds: Bounds | None = None
    smallest_detectable: float | None = None
    seeds_needed: int | None = None


def decide(losses: Sequence[float], margin: float, level: float, *, resolution: float = 0.0) -> BoundVerdict:
    """Decide whether results are worse than the baseline by more than a margin, on average over seeds.

    Args:
        losses: Per seed, the amount by which the results are worse than the baseline; negative if better.
        margin: The allowed mean of ``losses``.
        level: The probability that the true mean lies above its upper confidence bound, and equally that it lies below
            the lower bound.
        resolution: The smallest possible difference of two losses. The standard deviation of ``losses`` is taken as at
            least this large.

    Returns:
        The verdict and the confidence bounds of the mean. The verdict is FAIL if the lower bound is above the margin.
        It is PASS if the upper bound is at most the margin, or if all losses are zero. Otherwise it is
        INCONCLUSIVE, also for a single nonzero loss, which has no bounds.
    """
    if not any(losses):
        return BoundVerdict(verdict=Verdict.PASS, bounds=Bounds(mean=0.0, low=0.0, high=0.0))
    known = Estimate.of(losses, level, resolution=resolution)
    if known.low is None or known.high is None:
        return BoundVerdict(verdict=Verdict.INCONCLUSIVE)
    bounds = Bounds(mean=known.mean, low=known.low, high=known.high)
    if bounds.low > margin:
        return BoundVerdict(verdict=Verdict.FAIL, bounds=bounds)
    if bounds.high <= margin:
        return BoundVerdict(verdict=Verdict.PASS, bounds=bounds)
    return BoundVerdict(
        verdict=Verdict.INCONCLUSIVE,
        bounds=bounds,
        smallest_detectable=margin + bounds.mean - bounds.low,
        seeds_needed=_seeds_needed(losses, margin, level, resolution),
    )


def _seeds_needed(losses: Sequence[float], margin: float, level: float, resolution: float) -> int | None:
    """Return the least number of seeds for which the verdict of ``decide`` would be PASS or FAIL.

    The mean and the spread of ``losses`` are assumed to stay the same. The number is above the present number of seeds,
    and at least ``ENOUGH_SEEDS``. Return None if the number is above ``MOST_SEEDS``. ``decide`` explains the arguments.
    """
    distance, deviation = abs(margin - statistics.fmean(losses)), spread(losses, resolution)
    numbers = range(max(ENOUGH_SEEDS, len(losses) + 1), MOST_SEEDS + 1)
    return next((n for n in numbers if t_quantile(n - 1, 1 - level) * deviation / math.sqrt(n) <= distance), None)
