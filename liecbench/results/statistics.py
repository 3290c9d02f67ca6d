"""Statistics of results: means with confidence intervals by Student's t, and Holm's adjustment of p-values."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from liecbench.results.student_t import t_quantile


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean and its confidence interval from ``low`` to ``high`` by Student's t; a single value has no interval."""

    mean: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, values: Sequence[float], tail: float = 0.025, *, resolution: float = 0.0) -> "Estimate":
        """Return the mean of values and its confidence interval.

        Args:
            values: At least one value, for example one per seed.
            tail: The probability that the true mean lies above the interval, and equally that it lies below; 0.025 for
                a 95 % interval.
            resolution: The smallest possible difference of two values. The standard deviation is taken as at least this
                large, because two or three values can be equal by chance.
        """
        mean, degrees_of_freedom = math.fsum(values) / len(values), len(values) - 1
        if not degrees_of_freedom:
            return cls(mean=mean, low=None, high=None)
        deviation = spread(values, resolution, mean)
        half_width = t_quantile(degrees_of_freedom, 1 - tail) * deviation / math.sqrt(len(values))
        return cls(mean=mean, low=mean - half_width, high=mean + half_width)

    @classmethod
    def exactly(cls, value: float) -> "Estimate":
        """Return an estimate of a value that is known without error."""
        return cls(mean=value, low=value, high=value)

    @property
    def half_width(self) -> float | None:
        """Half of the interval's width; None for a single value."""
        return None if self.high is None else self.high - self.mean


def spread(values: Sequence[float], resolution: float, mean: float | None = None) -> float:
    """Return the standard deviation of two or more values, or ``resolution`` if that is larger.

    ``mean`` is the values' mean if it is already known.
    """
    mean = statistics.fmean(values) if mean is None else mean
    variance = math.fsum([(value - mean) ** 2 for value in values]) / (len(values) - 1)
    return max(math.sqrt(variance), resolution)


def sample_deviation(values: Sequence[float]) -> float:
    """Return the standard deviation of two or more finite values, as ``statistics.stdev`` does, in a tenth of the time.

    The variance is computed exactly, in integers, and its root is rounded once.
    """
    ratios = [value.as_integer_ratio() for value in values]
    scale = max(denominator for _, denominator in ratios)
    integers = [numerator * (scale // denominator) for numerator, denominator in ratios]
    count = len(integers)
    squares = count * sum([number * number for number in integers]) - sum(integers) ** 2
    return _root_of_ratio(squares, count * (count - 1) * scale * scale)


def _root_of_ratio(numerator: int, denominator: int) -> float:
    """Return √(numerator ÷ denominator), correctly rounded, by the algorithm of ``statistics`` in Python 3.11."""
    shift = (numerator.bit_length() - denominator.bit_length() - 109) // 2
    if shift >= 0:
        return float(_odd_root(numerator, denominator << 2 * shift) << shift)
    return _odd_root(numerator << -2 * shift, denominator) / (1 << -shift)


def _odd_root(numerator: int, denominator: int) -> int:
    """Return √(numerator ÷ denominator) if it is an integer, else the odd one of the two integers around it."""
    root = math.isqrt(numerator // denominator)
    return root | (root * root * denominator != numerator)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values after Holm's adjustment for multiple tests, in the order of ``p_values``."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, highest = [1.0] * len(p_values), 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = highest
    return adjusted
