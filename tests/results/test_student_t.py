import math

import pytest
from scipy.special import stdtr, stdtrit

from liecbench.results.student_t import near_t_quantile, t_quantile, two_sided_p_value

STATISTICS = (0.0, 1e-9, 0.01, 0.7, 1.0, 2.0, 12.7, 1e4)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_p_values_of_few_degrees_are_those_of_the_closed_forms(statistic: float) -> None:
    t = statistic
    one = 2 / math.pi * math.atan2(1, t)
    two = 2 / (math.sqrt(2 + t * t) * (math.sqrt(2 + t * t) + t))
    four = 1 - t * (t * t + 6) / (t * t + 4) ** 1.5

    assert [two_sided_p_value(degrees, t) for degrees in (1, 2)] == pytest.approx([one, two], rel=1e-13)
    assert two_sided_p_value(4, t) == pytest.approx(four, abs=1e-15)
    assert two_sided_p_value(2, -t) == two_sided_p_value(2, t)


def test_p_values_agree_with_scipy() -> None:
    pairs = [(degrees, t) for degrees in (1, 2, 3, 5, 8, 21, 200, 999) for t in STATISTICS]
    found = [two_sided_p_value(degrees, t) for degrees, t in pairs]

    assert found == pytest.approx([2 * stdtr(degrees, -t) for degrees, t in pairs], rel=1e-9)
    assert (two_sided_p_value(3, math.inf), two_sided_p_value(3, -1e200)) == (0.0, 0.0)


def test_quantiles_are_those_of_the_tables() -> None:
    """The closed forms of one and two degrees of freedom; 2.776 and 1.962 are in every printed table."""
    shares = (0.6, 0.8, 0.975, 0.9999)
    one = [math.tan(math.pi * (share - 0.5)) for share in shares]
    two = [(2 * share - 1) / math.sqrt(2 * share * (1 - share)) for share in shares]

    assert [near_t_quantile(1, share) for share in shares] == pytest.approx(one, rel=1e-10)
    assert [near_t_quantile(2, share) for share in shares] == pytest.approx(two, rel=1e-10)
    assert [round(t_quantile(degrees, 0.975), 3) for degrees in (1, 4, 1000)] == [12.706, 2.776, 1.962]


def test_quantiles_agree_with_scipy() -> None:
    degrees = [*range(1, 45), 99, 999]
    expected = [stdtrit(count, 0.975) for count in degrees]

    assert [t_quantile(count, 0.975) for count in degrees] == pytest.approx(expected, rel=1e-15)
    assert [near_t_quantile(count, 0.975) for count in degrees] == pytest.approx(expected, rel=1e-10)
    assert t_quantile(6, 0.99) == pytest.approx(stdtrit(6, 0.99), rel=1e-15)
