"""The confidence interval of a speed-up that a timing session measured, and the number of rounds that a session needs.

In a round, every method is timed once. After a few rounds, the session creates all methods' models and buffers again,
because step times also depend on where models and buffers lie in memory. A placement is the group of rounds between
two creations.
"""

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from liecbench.results.statistics import Estimate, sample_deviation
from liecbench.results.student_t import t_quantile, two_sided_p_value

# The standard deviation between placements that is assumed before any is measured. The same code, created again,
# differed by a standard deviation of 1 % on an idle machine and 3 % on a busy one. The assumption weighs as much as two
# degrees of freedom, chosen by simulation: tests/simulations/ratio_coverage.py. Without it, two placements would have
# one degree of freedom, for which Student's factor is 12.7.
_PLACEMENT_DEVIATION: Final = 0.025
_PLACEMENT_DEGREES: Final = 2
# An autocorrelation cannot be estimated from fewer rounds than this. The highest measured one is assumed instead.
_LEAST_ROUNDS_FOR_AUTOCORRELATION: Final = 5
_ASSUMED_AUTOCORRELATION: Final = 0.6
_MAX_AUTOCORRELATION: Final = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRatio:
    """The mean of ln(ratio) over measured ratios, such as speed-ups, with its standard error.

    ``standard_error`` is None if there is only one observation. ``degrees_of_freedom`` are those of Student's t.
    """

    mean: float
    standard_error: float | None
    degrees_of_freedom: int

    @classmethod
    def of_pairs(cls, log_ratios: Sequence[float]) -> "LogRatio":
        """Return the mean of independent values of ln(ratio), for example one per seed, with its standard error."""
        count = len(log_ratios)
        error = sample_deviation(log_ratios) / math.sqrt(count) if count > 1 else None
        return cls(mean=statistics.fmean(log_ratios), standard_error=error, degrees_of_freedom=count - 1)

    @classmethod
    def of_rounds(cls, log_ratios: Sequence[Sequence[float]]) -> "LogRatio":
        """Return the mean of the log ratios that a timing session measured, with its standard error.

        In a round, every method is timed once. A placement is a group of rounds, after which all models and buffers are
        created again. Every placement counts as one observation: the result is the mean of the placements' means.

        The variance measured between few placements is uncertain. So if any placement has two rounds or more, the
        standard error comes from a weighted mean of the measured variance and an assumed one.

        Args:
            log_ratios: One list per placement, with ln(ratio) of each round, in order. At least one list is not empty.
        """
        placements = [list(rounds) for rounds in log_ratios if rounds]
        means = [statistics.fmean(rounds) for rounds in placements]
        expected = _expected_variance(placements)
        if expected is None:
            return cls.of_pairs(means)
        variance, degrees = _pooled(_variance_of_means(placements), expected, len(means))
        error = math.sqrt(variance / len(means))
        return cls(mean=statistics.fmean(means), standard_error=error, degrees_of_freedom=degrees)

    def plus(self, other: "LogRatio") -> "LogRatio":
        """Return the ``LogRatio`` of a product: this ratio times the ratio of ``other``.

        The two ratios must be measured independently. The degrees of freedom follow from Satterthwaite's formula. If
        either ratio has no standard error, the product has none.
        """
        mean = self.mean + other.mean
        if self.standard_error is None or other.standard_error is None:
            return LogRatio(mean=mean, standard_error=None, degrees_of_freedom=0)
        own, others = self.standard_error**2, other.standard_error**2
        variance = own + others
        doubt = own**2 / self.degrees_of_freedom + others**2 / other.degrees_of_freedom
        degrees = math.floor(variance**2 / doubt) if doubt else self.degrees_of_freedom + other.degrees_of_freedom
        return LogRatio(mean=mean, standard_error=math.sqrt(variance), degrees_of_freedom=max(1, degrees))

    @property
    def inverse(self) -> "LogRatio":
        """The ``LogRatio`` of 1 ÷ ratio, such as a slowdown if the ratio is a speed-up."""
        return LogRatio(mean=-self.mean, standard_error=self.standard_error, degrees_of_freedom=self.degrees_of_freedom)

    def estimate(self, tail: float = 0.025) -> Estimate:
        """Return the geometric mean of the ratios, with its confidence interval.

        The interval's bounds are None if ``standard_error`` is None.

        Args:
            tail: The probability that the true ratio lies above the interval, and equally that it lies below; 0.025 for
                a 95 % interval.
        """
        if self.standard_error is None:
            return Estimate(mean=math.exp(self.mean), low=None, high=None)
        half_width = t_quantile(self.degrees_of_freedom, 1 - tail) * self.standard_error
        low, high = math.exp(self.mean - half_width), math.exp(self.mean + half_width)
        return Estimate(mean=math.exp(self.mean), low=low, high=high)

    @property
    def p_value(self) -> float:
        """The two-sided p-value of the hypothesis that the ratio is 1; 1 if there is only one observation."""
        if self.standard_error is None:
            return 1.0
        if self.standard_error == 0:
            return 1.0 if self.mean == 0 else 0.0
        return two_sided_p_value(self.degrees_of_freedom, self.mean / self.standard_error)


def ratio_interval(log_ratios: Sequence[Sequence[float]], tail: float = 0.025) -> Estimate:
    """Return the speed-up of a method that a timing session measured, with its confidence interval.

    A placement is a group of rounds, after which all models and buffers are created again. The speed-up is a geometric
    mean in which every placement counts as one observation. A further placement therefore narrows the interval much
    more than further rounds per placement. If there is only one round in all, the bounds are None.

    Args:
        log_ratios: One list per placement, with ln(seconds of the baseline ÷ seconds of the method) of each round, in
            order.
        tail: The probability that the true speed-up is below the lower bound, and equally that it is above the upper
            bound; 0.025 gives a 95 % interval.
    """
    return LogRatio.of_rounds(log_ratios).estimate(tail)


def rounds_needed(log_ratios: Sequence[Sequence[float]], precision: float, *, at_most: int = 60) -> int:
    """Return the total number of rounds after which a speed-up is expected to be known to ``precision``.

    Call this once, after the first rounds, as in Stein's two-stage procedure. A placement is a group of rounds, after
    which all models and buffers are created again. Each further placement is assumed to have as many rounds as the
    longest placement so far.

    Args:
        log_ratios: One list per placement so far, with ln(speed-up) of each round of the placement.
        precision: The wanted half-width of the speed-up's 95 % interval, as a fraction of the speed-up.
        at_most: The largest number to return. It is also returned if no placement has two rounds.
    """
    placements = [list(rounds) for rounds in log_ratios if rounds]
    length, rounds_so_far = max(map(len, placements)), sum(map(len, placements))
    expected = _expected_variance(placements)
    if expected is None:
        return at_most
    seen = _variance_of_means(placements)
    between = max(expected, seen) if length >= _LEAST_ROUNDS_FOR_AUTOCORRELATION else seen
    for count in range(len(placements), at_most + 1):
        variance, degrees = _pooled(between, expected, count)
        if t_quantile(degrees, 0.975) * math.sqrt(variance / count) <= precision:
            return min(at_most, max(rounds_so_far, count * length))
    return at_most


def _pooled(between: float, expected: float, num_placements: int) -> tuple[float, int]:
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


def _variance_of_means(placements: Sequence[Sequence[float]]) -> float:
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
    if count <= _LEAST_ROUNDS_FOR_AUTOCORRELATION or not squares:
        return 0.0
    products = math.fsum(a * b for a, b in itertools.pairwise(deviations))
    # The plain estimate from a short series is too low.
    autocorrelation = (products / squares + 3 / count) / (1 - 4 / count)
    inflation = _inflation(min(_MAX_AUTOCORRELATION, max(0.0, autocorrelation)), count)
    return _true_variance(squares / (count - 1), inflation, count) * inflation / count


def _expected_variance(placements: Sequence[Sequence[float]]) -> float | None:
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
    if length < _LEAST_ROUNDS_FOR_AUTOCORRELATION:
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
