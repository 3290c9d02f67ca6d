import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liecbench.results.statistics import Estimate, sample_deviation


@pytest.mark.parametrize(
    ("values", "half"),
    [
        ([1.0, 3.0], 12.706),  # t for 1 degree of freedom · √2 / √2
        ([1.0, 2.0, 3.0], 4.303 / math.sqrt(3)),
        ([2.0, 2.0, 2.0], 0.0),
        ([0.0, 0.0, 3.0, 5.0], 3.182 * math.sqrt(18 / 3) / 2),  # squares about the mean of 2: 4 + 4 + 1 + 9
    ],
)
def test_intervals_follow_the_t_table(values: list[float], half: float) -> None:
    actual = Estimate.of(values)
    mean = sum(values) / len(values)

    assert pytest.approx((mean, mean - half, mean + half), abs=2e-3) == (actual.mean, actual.low, actual.high)


def test_one_seed_has_no_interval() -> None:
    actual = Estimate.of([2.5])

    assert Estimate(mean=2.5, low=None, high=None) == actual


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=6), st.floats(-1e3, 1e3))
def test_intervals_move_with_their_values(values: list[float], shift: float) -> None:
    before, after = Estimate.of(values), Estimate.of([value + shift for value in values])
    assert before.low is not None
    assert before.high is not None

    assert pytest.approx((before.mean + shift, before.low + shift, before.high + shift), abs=1e-6) == (
        after.mean,
        after.low,
        after.high,
    )


@given(st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=9))
def test_the_sample_deviation_is_the_standard_librarys(values: list[float]) -> None:
    assert sample_deviation(values) == statistics.stdev(values)
