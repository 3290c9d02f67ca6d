"""The confidence interval of a speed-up that a timing session measured, and the number of rounds that a session needs.

In a round, every method is timed once. After a few rounds, the session creates all methods' models and buffers again,
because step times also depend on where models and buffers lie in memory. A placement is the group of rounds between
two creations.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from liecbench.results.placement_variance import (
    LEAST_ROUNDS_FOR_AUTOCORRELATION,
    expected_variance,
    pooled_variance,
    variance_of_means,
)
from liecbench.results.statistics import Estimate, sample_deviation
from liecbench.results.student_t import t_quantile, two_sided_p_value


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
        expected = expected_variance(placements)
        if expected is None:
            return cls.of_pairs(means)
        variance, degrees = pooled_variance(variance_of_means(placements), expected, len(means))
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
    expected = expected_variance(placements)
    if expected is None:
        return at_most
    seen = variance_of_means(placements)
    between = max(expected, seen) if length >= LEAST_ROUNDS_FOR_AUTOCORRELATION else seen
    for count in range(len(placements), at_most + 1):
        variance, degrees = pooled_variance(between, expected, count)
        if t_quantile(degrees, 0.975) * math.sqrt(variance / count) <= precision:
            return min(at_most, max(rounds_so_far, count * length))
    return at_most
