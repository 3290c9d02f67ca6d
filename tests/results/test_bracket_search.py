import math

import pytest

from liecbench.results.bracket_search import next_rate
from liecbench.results.ratio_interval import LogRatio
from tests.simulations.break_even_coverage import FLAT, KINKED, MAX_ADDED, QUIET, STEEP, Lines, coverage


def exact(rate: float, crossing: float, slope: float = 1.0) -> LogRatio:
    """Return a log ratio that falls with the logarithm of the rate, known to ±2 %."""
    return LogRatio(mean=-slope * math.log(rate / crossing), standard_error=0.01, degrees_of_freedom=30)


def test_rates_close_around_the_crossing_come_next() -> None:
    crossing = 50e6
    points = {rate: exact(rate, crossing) for rate in (10_000_000, 100_000_000)}
    added = []
    while (rate := next_rate(sorted(points.items()), 0.02)) is not None:
        added.append(rate)
        points[rate] = exact(rate, crossing)

    assert sorted(rate / crossing for rate in added) == [pytest.approx(0.91, abs=0.01), pytest.approx(1.09, abs=0.01)]


def test_a_flat_crossing_is_left_wider_than_the_precision_can_tell() -> None:
    crossing, slope = 50e6, 0.1
    points = {rate: exact(rate, crossing, slope) for rate in (1_000_000, 1_000_000_000)}
    rate = next_rate(sorted(points.items()), 0.02)
    assert rate is not None

    # A slope of 0.1 resolves ln(rate) to ±0.2: measured nearer, no difference would be shown.
    assert abs(math.log(rate / crossing)) > 0.2


@pytest.mark.parametrize("means", [(0.5, 0.4), (-0.5, -0.4), (0.0, 0.0), (0.5, 0.0)])
def test_without_a_bracket_no_rate_comes_next(means: tuple[float, float]) -> None:
    points = [
        (rate, LogRatio(mean=mean, standard_error=0.01, degrees_of_freedom=10))
        for rate, mean in zip((10, 20), means, strict=True)
    ]

    assert next_rate(points, 0.02) is None


@pytest.mark.parametrize("lines", [STEEP, KINKED, FLAT])
def test_brackets_contain_the_true_rate(lines: Lines) -> None:
    held, width, added = coverage(lines, QUIET, runs=15)

    assert held >= 0.9
    assert width < (1.25 if lines is not FLAT else 3)
    assert added <= MAX_ADDED
