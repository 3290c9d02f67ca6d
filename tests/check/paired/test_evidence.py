import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import binom

from liecbench.check.paired.evidence import e_value, fewest_beyond, fewest_pairs, holm, interval, smallest_detectable


@pytest.mark.parametrize(("n", "k"), [(1, 0), (1, 1), (7, 7), (20, 15), (60, 10), (60, 42)])
def test_the_e_value_is_its_closed_form(n: int, k: int) -> None:
    closed = 2 ** (n + 1) / ((n + 1) * math.comb(n, k)) * binom.cdf(k, n + 1, 0.5)

    assert closed == pytest.approx(e_value(n, k), rel=1e-12)


@pytest.mark.parametrize(("n", "k"), [(7, 7), (12, 9), (30, 20), (60, 35)])
def test_the_e_value_is_the_mixture_of_likelihood_ratios_over_larger_probabilities(n: int, k: int) -> None:
    mixture, _ = quad(lambda p: 2 * p**k * (1 - p) ** (n - k) * 2.0**n, 0.5, 1)

    assert mixture == pytest.approx(e_value(n, k), rel=1e-9)


@given(st.integers(0, 59), st.data())
def test_the_e_value_is_a_martingale_for_a_fair_coin(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))

    assert e_value(n, k) == pytest.approx((e_value(n + 1, k) + e_value(n + 1, k + 1)) / 2, rel=1e-9)


def test_a_fair_coin_reaches_the_threshold_with_probability_alpha_at_most() -> None:
    coin = random.Random(5)
    rejected = sum(_ever(coin, 0.5) for _ in range(4000))

    # Ville: at most 5 %; 4000 tries have a standard deviation of 0.35 %.
    assert rejected / 4000 <= 0.05 + 3 * 0.0035


def test_a_loaded_coin_is_found() -> None:
    coin = random.Random(6)

    assert sum(_ever(coin, 0.9) for _ in range(500)) >= 490


def _ever(coin: random.Random, probability: float) -> bool:
    beyond = 0
    for n in range(1, 61):
        beyond += coin.random() < probability
        if e_value(n, beyond) >= 20:
            return True
    return False


def test_seven_pairs_all_beyond_are_enough_for_twenty() -> None:
    assert (fewest_pairs(20), fewest_pairs(60)) == (7, 9)


@pytest.mark.parametrize("threshold", [20, 120])
@pytest.mark.parametrize("n", [10, 35, 60])
def test_the_fewest_beyond_are_just_enough(n: int, threshold: float) -> None:
    k = fewest_beyond(n, threshold)

    assert k is not None
    assert (e_value(n, k) >= threshold, e_value(n, k - 1) >= threshold) == (True, False)


def test_six_pairs_give_no_interval() -> None:
    assert interval([0.0] * 6, 20, 20) == (None, None)


def test_the_interval_of_seven_pairs_is_their_range() -> None:
    values = [0.03, -0.01, 0.02, 0.0, 0.05, 0.01, 0.04]

    assert (math.exp(-0.01) - 1, math.exp(0.05) - 1) == pytest.approx(interval(values, 20, 20))


def test_each_end_has_its_own_threshold() -> None:
    # All of seven give 2^8/8 · (1 − 2^−8) = 31.9.
    lower, upper = interval([0.01 * n for n in range(7)], 32, 31)

    assert lower is None
    assert upper == pytest.approx(math.expm1(0.06))


def test_a_bound_that_was_shown_after_some_pairs_is_kept() -> None:
    # The first seven are 0.01 at most. That more are above 0.01 later takes the upper end no further up.
    assert interval([0.01] * 7 + [0.02] * 7, 20, 20)[1] == pytest.approx(math.expm1(0.01))


@given(st.lists(st.floats(-1, 1), min_size=7, max_size=60))
def test_the_interval_is_mirrored(values: list[float]) -> None:
    (low, high), (other_low, other_high) = (interval(side, 20, 20) for side in (values, [-value for value in values]))

    assert None not in (low, high, other_low, other_high)
    assert other_low is not None
    assert other_high is not None
    assert (low, high) == pytest.approx((1 / (1 + other_high) - 1, 1 / (1 + other_low) - 1))


@given(st.lists(st.floats(-0.1, 0.3), min_size=1, max_size=60), st.floats(0.0, 0.2))
def test_the_interval_inverts_the_test(values: list[float], bound: float) -> None:
    numbers = range(1, len(values) + 1)
    limit = math.log1p(bound)
    slower = any(e_value(n, sum(value > limit for value in values[:n])) >= 40 for n in numbers)
    within = any(e_value(n, sum(value < limit for value in values[:n])) >= 20 for n in numbers)
    low, high = interval(values, 40, 20)

    assert (slower, within) == (
        low is not None and math.log1p(low) > limit,
        high is not None and math.log1p(high) < limit,
    )


def test_the_interval_has_its_coverage() -> None:
    chance = random.Random(7)

    def holds() -> bool:
        low, high = interval([chance.gauss(0.04, 0.1) for _ in range(40)], 20, 20)
        assert low is not None
        assert high is not None
        return low <= math.expm1(0.04) <= high

    assert sum(holds() for _ in range(1000)) >= 900


def _power(noise: Sequence[float], slowdown: float, tolerance: float) -> float:
    """Return how often 60 pairs of this noise and slowdown end beyond the threshold."""
    chance, found = random.Random(8), 0
    for _ in range(400):
        shifted = [math.log1p(slowdown) + chance.choice(noise) for _ in range(60)]
        beyond = sum(value > math.log1p(tolerance) for value in shifted)
        found += e_value(60, beyond) >= 40
    return found / 400


def test_the_smallest_detectable_slowdown_is_detected() -> None:
    chance = random.Random(9)
    noise = [chance.gauss(0, 0.05) for _ in range(200)]
    slowdown = smallest_detectable(noise, 0.02, 40, 60)

    assert _power(noise, slowdown, 0.02) > 0.75
    assert _power(noise, 0.5 * slowdown, 0.02) < 0.75


def test_without_noise_the_smallest_detectable_slowdown_is_just_beyond_the_tolerance() -> None:
    assert pytest.approx(smallest_detectable([0.01] * 20, 0.02, 20, 60)) == 1.15 * 0.02


def test_too_few_pairs_detect_nothing() -> None:
    assert math.inf == smallest_detectable([0.0] * 20, 0.02, 20, 6)


def test_holm_rejects_step_by_step() -> None:
    # With three tests at 5 %: 60 for the first, 40 for the second, 20 for the last.
    assert holm([45.0, 19.0, 61.0], 0.05) == [True, False, True]
    assert holm([59.0, 45.0, 30.0], 0.05) == [False, False, False]
    assert holm([20.0, 40.0, 60.0], 0.05) == [True, True, True]
