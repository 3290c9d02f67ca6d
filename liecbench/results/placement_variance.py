"""The variance of the placements' means in a timing session, whose rounds are autocorrelated.

In a round, every method is timed once. A placement is a group of rounds, before which the session creates all methods'
models and buffers again. A placement's mean is the mean ln(ratio) of its rounds.
"""

import itertools
import math
import statistics
from collections.abc import Sequence
from typing import Final

# The standard deviation between placements that is assumed before any is measured. The same code, created again,
# differed by a standard deviation of 1 % on an idle machine and 3 % on a busy one. The assumption weighs as much as two
# degrees of freedom, chosen by simulation: tests/simulations/ratio_coverage.py. Without it, two placements would have
# one degree of freedom, for which Student's factor is 12.7.
_PLACEMENT_DEVIATION: Final = 0.025
_PLACEMENT_DEGREES: Final = 2
# An autocorrelation cannot be estimated from fewer rounds than this. The highest measured one is assumed instead.
LEAST_ROUNDS_FOR_AUTOCORRELATION: Final = 5
_ASSUMED_AUTOCORRELATION: Final = 0.6
_MAX_AUTOCORRELATION: Final = 0.8


def pooled_variance(between: float, expected: float, num_placements: int) -> tuple[float, int]:
    """Return (an estimate of the variance of placement means, the degrees of freedom of the estimate).

    A placement is a group of rounds, and a placement mean is the mean ln(ratio) of these rounds. The estimate is a
    weighted mean of two variances:

    - the measured variance, ``between``, with the weight ``num_placements`` − 1
    - the assumed variance, ``_PLACEMENT_DEVIATION``² + ``expected``, with the weight ``_PLACEMENT_DEGREES``

    The degrees of freedom are the sum of both weights.

    Args:
        between: The measured variance of placement means.
        expected: The variance of placement means that the noise of single rounds alone would cause.
        num_placements: The number of placements that were measured or that a session would measure.
    """
    degrees = num_placements - 1 + _PLACEMENT_DEGREES
    known = _PLACEMENT_DEVIATION**2 + expected
    return (_PLACEMENT_DEGREES * known + (num_placements - 1) * between) / degrees, degrees


def variance_of_means(placements: Sequence[Sequence[float]]) -> float:
    """Return the variance of placement means: the larger of two estimates from measured rounds.

    A placement is a group of rounds, and a placement mean is the mean ln(ratio) of these rounds. The estimates are:

    1. The sample variance of the placement means. It is 0 if there is only one placement.
    2. The variance that ``_variance_of_mean`` returns for the series of all rounds, × the number of placements. It is
       0 if there are at most five rounds.

    Args:
        placements: One list per placement, with the ln(ratio) of each round in the order of time.
    """
    count = len(placements)
    between = statistics.variance([statistics.fmean(rounds) for rounds in placements]) if count > 1 else 0.0
    values = [value for rounds in placements for value in rounds]
    mean = statistics.fmean(values)
    return max(between, count * _variance_of_mean([value - mean for value in values]))


def _variance_of_mean(deviations: Sequence[float]) -> float:
    """Estimate the variance of the mean of a series whose successive values are correlated.

    The estimate is 0 if the series has at most five values.

    Args:
        deviations: The values in order, each minus the mean of the series.
    """
    count, squares = len(deviations), math.fsum(value * value for value in deviations)
    if count <= LEAST_ROUNDS_FOR_AUTOCORRELATION or not squares:
        return 0.0
    products = math.fsum(a * b for a, b in itertools.pairwise(deviations))
    # The plain estimate from a short series is too low.
    autocorrelation = (products / squares + 3 / count) / (1 - 4 / count)
    inflation = _inflation(min(_MAX_AUTOCORRELATION, max(0.0, autocorrelation)), count)
    return _true_variance(squares / (count - 1), inflation, count) * inflation / count


def expected_variance(placements: Sequence[Sequence[float]]) -> float | None:
    """Return the part of the variance of placement means that comes from the noise of single rounds.

    A placement is a group of rounds, and a placement mean is the mean ln(ratio) of these rounds. The noise and its
    autocorrelation are estimated from the spread of the rounds within placements. If placements have fewer than five
    rounds on average, the autocorrelation is assumed to be 0.6. Return None if no placement has two rounds.

    Args:
        placements: One list per placement, with the ln(ratio) of each round, in order.
    """
    degrees = sum(len(rounds) - 1 for rounds in placements)
    if not degrees:
        return None
    deviations = [[value - statistics.fmean(rounds) for value in rounds] for rounds in placements]
    total = len(deviations) + degrees
    length = total / len(deviations)
    squares = math.fsum(value * value for rounds in deviations for value in rounds)
    if length < LEAST_ROUNDS_FOR_AUTOCORRELATION:
        inflation = _inflation(_ASSUMED_AUTOCORRELATION, max(2, round(length)))
        # As if the autocorrelation continued from one placement to the next.
        going_on = _inflation(_ASSUMED_AUTOCORRELATION, total)
    else:
        products = math.fsum(a * b for rounds in deviations for a, b in itertools.pairwise(rounds))
        seen = products / squares if squares else 0.0
        autocorrelation = min(_MAX_AUTOCORRELATION, max(0.0, (seen + 1 / length) / (1 - 4 / length)))
        inflation = going_on = _inflation(autocorrelation, round(length))
    return _true_variance(squares / degrees, inflation, length) * going_on / length


def _true_variance(variance: float, inflation: float, count: float) -> float:
    """Return the variance of autocorrelated values; their sample variance is too small.

    Args:
        variance: The sample variance, about the mean of the sample.
        inflation: The factor by which autocorrelation increases the variance of the mean of ``count`` values.
        count: The number of values.
    """
    return variance * (1 - 1 / count) / max(0.1, 1 - inflation / count)


def _inflation(autocorrelation: float, count: int) -> float:
    """Return the factor by which autocorrelation increases the variance of the mean of ``count`` values.

    The autocorrelation at lag k is assumed to be ``autocorrelation`` to the power of k.
    """
    return 1 + 2 * math.fsum((1 - lag / count) * autocorrelation**lag for lag in range(1, count))
