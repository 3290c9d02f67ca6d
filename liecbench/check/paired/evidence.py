"""Sequential evidence from paired log-ratios: E-values, an interval, and the smallest detectable slowdown.

If the median of d is at most t, the number of d > t among n is at most binomial with ½, and the uniform mixture over
larger probabilities is a test martingale: by Ville's inequality it reaches 1/α with probability α at most, at any
number of looks (Robbins 1970, Statistical methods related to the law of the iterated logarithm, eq. 7).
"""

import functools
import math
import statistics
from collections.abc import Sequence
from typing import Final

DETECTION_PROBABILITY: Final = 0.8
# Pairs are autocorrelated, so the slowdown computed for independent pairs is a little too small.
_AUTOCORRELATION_FACTOR: Final = 1.15


@functools.cache
def e_value(num_pairs: int, num_beyond: int) -> float:
    """Return the evidence that more than half of all pairs are beyond a limit, if ``num_beyond`` of n are.

    E(n, k) = 2^(n+1) / ((n+1)·C(n, k)) · P(Bin(n+1, ½) ≤ k)
    """
    below = sum(math.comb(num_pairs + 1, j) for j in range(num_beyond + 1))
    return below / ((num_pairs + 1) * math.comb(num_pairs, num_beyond))


def fewest_beyond(num_pairs: int, threshold: float) -> int | None:
    """Return the smallest k with E(n, k) ≥ threshold; None if even k = n is too few."""
    return next((k for k in range(num_pairs + 1) if e_value(num_pairs, k) >= threshold), None)


def fewest_pairs(threshold: float) -> int:
    """Return the smallest n whose E-value reaches the threshold if every pair is beyond the limit."""
    return next(n for n in range(1, 1100) if e_value(n, n) >= threshold)


def interval(log_ratios: Sequence[float], threshold: float) -> tuple[float, float] | None:
    """Return the bounds of the median ratio − 1; None for too few pairs.

    Each bound holds at every look with probability 1 − 1/threshold.
    """
    n, ordered = len(log_ratios), sorted(log_ratios)
    least = fewest_beyond(n, threshold)
    if least is None:
        return None
    return math.expm1(ordered[n - least]), math.expm1(ordered[least - 1])


def smallest_detectable(log_ratios: Sequence[float], tolerance: float, threshold: float, most_pairs: int) -> float:
    """Return the slowdown that ``most_pairs`` pairs with this noise find with a probability of 80 %.

    Returns:
        A share of A's time; infinite if no slowdown would be found.
    """
    import numpy as np
    from scipy.special import betaincinv

    needed = fewest_beyond(most_pairs, threshold)
    if needed is None or len(log_ratios) < 2:
        return math.inf
    # P(Bin(n, p) ≥ c) is the regularised incomplete beta function I_p(c, n − c + 1).
    share = float(betaincinv(needed, most_pairs - needed + 1, DETECTION_PROBABILITY))
    middle = statistics.median(log_ratios)
    tail = float(np.quantile([value - middle for value in log_ratios], 1 - share))
    return _AUTOCORRELATION_FACTOR * math.expm1(math.log1p(tolerance) - tail)


def holm(e_values: Sequence[float], alpha: float) -> list[bool]:
    """Return for each test if Holm's step-down on p = 1/sup E rejects it, with family-wise error ``alpha``."""
    order = sorted(range(len(e_values)), key=lambda i: -e_values[i])
    rejected = [False] * len(e_values)
    for place, index in enumerate(order):
        if e_values[index] < (len(e_values) - place) / alpha:
            break
        rejected[index] = True
    return rejected
