"""Sequential evidence from paired log-ratios: e-values, an interval, and what a run could have seen.

Under 'the median of d is at most t', #{d > t} of n is at most binomial with ½, and the uniform mixture over larger
probabilities is a test martingale: by Ville's inequality it reaches 1/α with probability α at most, however often one
looks (Robbins 1970, Statistical methods related to the law of the iterated logarithm, eq. 7).
"""

import functools
import math
import statistics
from collections.abc import Sequence
from typing import Final

DETECTED_WITH: Final = 0.8
# Of the slowdown that is detectable on paper, for what autocorrelation takes.
_SAFETY: Final = 1.15


@functools.cache
def e_value(num_pairs: int, num_beyond: int) -> float:
    """E(n, k) = 2^(n+1) / ((n+1)·C(n, k)) · P(Bin(n+1, ½) ≤ k): for 'more than half of all pairs are beyond'."""
    below = sum(math.comb(num_pairs + 1, j) for j in range(num_beyond + 1))
    return below / ((num_pairs + 1) * math.comb(num_pairs, num_beyond))


def fewest_beyond(num_pairs: int, threshold: float) -> int | None:
    """The smallest k with E(n, k) ≥ threshold; None where not even all n are enough."""
    return next((k for k in range(num_pairs + 1) if e_value(num_pairs, k) >= threshold), None)


def fewest_pairs(threshold: float) -> int:
    """The smallest n whose E-value reaches the threshold when every pair is beyond."""
    return next(n for n in range(1, 1100) if e_value(n, n) >= threshold)


def interval(log_ratios: Sequence[float], threshold: float) -> tuple[float, float] | None:
    """Bounds of the median ratio − 1, each valid at every look with probability 1 − 1/threshold; None for few pairs."""
    n, ordered = len(log_ratios), sorted(log_ratios)
    least = fewest_beyond(n, threshold)
    if least is None:
        return None
    return math.expm1(ordered[n - least]), math.expm1(ordered[least - 1])


def smallest_detectable(log_ratios: Sequence[float], tolerance: float, threshold: float, most_pairs: int) -> float:
    """The slowdown that ``most_pairs`` of this noise show with a probability of 80 %; infinite where none would."""
    import numpy as np
    from scipy.special import betaincinv

    needed = fewest_beyond(most_pairs, threshold)
    if needed is None or len(log_ratios) < 2:
        return math.inf
    # P(Bin(n, p) ≥ c) is the regularised incomplete beta function I_p(c, n − c + 1).
    share = float(betaincinv(needed, most_pairs - needed + 1, DETECTED_WITH))
    middle = statistics.median(log_ratios)
    tail = float(np.quantile([value - middle for value in log_ratios], 1 - share))
    return _SAFETY * math.expm1(math.log1p(tolerance) - tail)


def holm(e_values: Sequence[float], alpha: float) -> list[bool]:
    """Which of these tests are rejected by Holm's step-down on p = 1/sup E, with family-wise error ``alpha``."""
    order = sorted(range(len(e_values)), key=lambda i: -e_values[i])
    rejected = [False] * len(e_values)
    for place, index in enumerate(order):
        if e_values[index] < (len(e_values) - place) / alpha:
            break
        rejected[index] = True
    return rejected
