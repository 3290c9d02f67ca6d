"""Sequential evidence from paired log-ratios: E-values, an interval, and the smallest detectable slowdown.

A paired check compares two sides, A and B. The interval is a confidence interval of B's median slowdown.

The log-ratio of a pair of step times is ln(B's step time ÷ A's step time). The null hypothesis says that the median
log-ratio is at most a given limit, the allowed log-ratio. The E-value measures the evidence against the null
hypothesis. For a given number of pairs, it grows with the number of log-ratios that are above the limit.

The E-value can be computed after every pair. If the null hypothesis is true, the probability that the E-value ever
reaches 20 is at most 1/20, the probability that it ever reaches 100 is at most 1/100, and so on. (Source: Robbins 1970,
Statistical methods related to the law of the iterated logarithm, eq. 7.)
"""

import bisect
import functools
import itertools
import math
import statistics
from collections.abc import Sequence
from typing import Final

DETECTION_PROBABILITY: Final = 0.8
# The formula in ``smallest_detectable`` assumes independent pairs. Pairs are autocorrelated, so the slowdown that the
# formula gives is a little too small and is multiplied by this factor.
_AUTOCORRELATION_FACTOR: Final = 1.15


@functools.cache
def e_value(num_pairs: int, num_beyond: int) -> float:
    """Return the E-value for the claim that a pair's log-ratio is beyond a limit with a probability of more than ½.

    This is E(n, k) = 2^(n+1) / ((n+1)·C(n, k)) · P(Bin(n+1, ½) ≤ k).

    Args:
        num_pairs: The number n of pairs.
        num_beyond: The number k of pairs whose log-ratio is beyond the limit.
    """
    # A likelihood ratio. Let p be the probability that a log-ratio is beyond the limit. The numerator is the likelihood
    # under a uniform mixture over p in [½, 1], the denominator the likelihood under p = ½. If p = ½, the E-value is a
    # test martingale, to which Ville's inequality applies. If p < ½, the E-value is stochastically smaller.
    term = below = 1
    for j in range(num_beyond):  # math.comb for each term would take seconds for a thousand pairs
        term = term * (num_pairs + 1 - j) // (j + 1)
        below += term
    return below / ((num_pairs + 1) * math.comb(num_pairs, num_beyond))


def fewest_beyond(num_pairs: int, threshold: float) -> int | None:
    """Return the least k for which ``e_value(num_pairs, k)`` is at least ``threshold``; None if no k suffices.

    k is the number of pairs whose log-ratio is beyond the tested limit.

    Args:
        num_pairs: The total number of pairs.
        threshold: The E-value to reach, such as 20.
    """
    return next((k for k in range(num_pairs + 1) if e_value(num_pairs, k) >= threshold), None)


def fewest_pairs(threshold: float) -> int:
    """Return the least number n of pairs for which ``e_value(n, n)`` is at least ``threshold``.

    With fewer pairs, the E-value stays below ``threshold`` even if every pair's log-ratio is beyond the limit.

    Args:
        threshold: The E-value to reach, such as 20.
    """
    return next(n for n in range(1, 1100) if e_value(n, n) >= threshold)


def largest_within_reach(num_pairs: int, num_beyond: int, num_left: int) -> float:
    """Return the largest E-value that a test can reach in the best case.

    The best case is that the log-ratio of every further pair is beyond the tested limit.

    Args:
        num_pairs: The number of pairs so far.
        num_beyond: The number of pairs so far whose log-ratio is beyond the limit.
        num_left: The largest number of further pairs.
    """
    return max(e_value(num_pairs + more, num_beyond + more) for more in range(num_left + 1))


def interval(
    log_ratios: Sequence[float], lower_threshold: float, upper_threshold: float
) -> tuple[float | None, float | None]:
    """Return a confidence interval (lower, upper) of side B's median slowdown. An end without enough pairs is None.

    The slowdown in a pair is (B's step time ÷ A's step time) − 1.

    - The lower end is the largest limit for which the test "B is slower by at least the limit" succeeded.
    - The upper end is the smallest limit for which the test "B is slower by at most the limit" succeeded.

    A test succeeds if its E-value reaches the end's threshold after at least one of the pairs.

    Args:
        log_ratios: ln(B's step time ÷ A's step time) of each pair, in the order of measurement.
        lower_threshold: 1 ÷ the error probability of the lower end, such as 20 for 5 %. A paired check may compute an
            interval after every pair. With 20, at most 5 % of checks compute a lower end that is above the true median.
        upper_threshold: 1 ÷ the error probability of the upper end.
    """
    upper = _upper(log_ratios, upper_threshold)
    negated = _upper([-value for value in log_ratios], lower_threshold)
    return None if negated is None else math.expm1(-negated), None if upper is None else math.expm1(upper)


def _upper(log_ratios: Sequence[float], threshold: float) -> float | None:
    """Return the least of the log-ratios for which ``_reaches`` is True; None if there is none."""
    ordered = sorted(log_ratios)
    place = bisect.bisect_left(ordered, True, key=lambda limit: _reaches(log_ratios, limit, threshold))
    return ordered[place] if place < len(ordered) else None


def _reaches(log_ratios: Sequence[float], limit: float, threshold: float) -> bool:
    """Return True if, after any pair, the evidence that the median is at most ``limit`` reached ``threshold``.

    The evidence is an E-value whose null hypothesis is that the median log-ratio is above ``limit``.
    """
    counts = itertools.accumulate(int(value <= limit) for value in log_ratios)
    return any(e_value(number, count) >= threshold for number, count in enumerate(counts, start=1))


def smallest_detectable(log_ratios: Sequence[float], tolerance: float, threshold: float, most_pairs: int) -> float:
    """Return the smallest slowdown of B that ``most_pairs`` pairs detect with a probability of 80 %.

    Args:
        log_ratios: ln(B's step time ÷ A's step time) of each pair measured so far. They show how noisy the times are.
        tolerance: Allowed slowdown as a share of A's time.
        threshold: The E-value from which on a slowdown counts as detected.
        most_pairs: Number of pairs.

    Returns:
        The slowdown as a share of A's time; infinite if ``most_pairs`` or the number of ``log_ratios`` is too small.
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
    """Return, for each test, True if Holm's step-down procedure rejects the test's null hypothesis.

    Args:
        e_values: The largest E-value of each test. (A test computes one E-value after each pair.) The test's p-value is
            the reciprocal of its largest E-value.
        alpha: The largest allowed probability that one or more true null hypotheses are rejected.
    """
    order = sorted(range(len(e_values)), key=lambda i: -e_values[i])
    rejected = [False] * len(e_values)
    for place, index in enumerate(order):
        if e_values[index] < (len(e_values) - place) / alpha:
            break
        rejected[index] = True
    return rejected
