import math

import pytest

from liecbench.results.ratio_interval import LogRatio, ratio_interval, rounds_needed
from liecbench.results.statistics import holm
from tests.simulations.ratio_coverage import Noise, coverage


def test_one_round_has_no_interval() -> None:
    found = ratio_interval([[math.log(1.5)]])
    assert found.mean == pytest.approx(1.5)
    assert (found.low, found.high) == (None, None)
    assert LogRatio.of_rounds([[0.5]]).p_value == 1


def test_the_speed_up_is_the_geometric_mean_over_placements() -> None:
    found = ratio_interval([[math.log(2)] * 4, [math.log(8)] * 2])
    assert found.mean == pytest.approx(4)  # √(2 · 8), though the first placement has twice as many rounds


def test_placements_of_one_round_each_follow_the_t_table() -> None:
    found = ratio_interval([[0.1], [0.2], [0.3]])
    half = 4.303 * 0.1 / math.sqrt(3)
    assert found.high == pytest.approx(math.exp(0.2 + half), rel=1e-4)
    assert found.low == pytest.approx(math.exp(0.2 - half), rel=1e-4)


def test_two_placements_without_noise_are_known_to_what_placements_differ_by() -> None:
    found = ratio_interval([[0.0] * 30, [0.0] * 30])
    # Three degrees of freedom, of which two stand for a standard deviation of 2.5 %: t · √(2 · 0.025² / 3) / √2.
    half = 3.182 * math.sqrt(2 * 0.025**2 / 3 / 2)
    assert found.high == pytest.approx(math.exp(half), rel=1e-4)


def test_seeds_are_independent_pairs() -> None:
    pairs = LogRatio.of_pairs([0.1, 0.3])
    assert pairs.mean == pytest.approx(0.2)
    assert pairs.standard_error == pytest.approx(0.1)
    assert pairs.p_value == pytest.approx(1 - 2 * math.atan(2.0) / math.pi)  # Cauchy's distribution at t = 2


def test_more_noise_asks_for_more_rounds_up_to_the_limit() -> None:
    quiet = [[0.01, -0.01, 0.01, -0.01, 0.0], [0.0, 0.01, -0.01, 0.0, 0.01]]
    noisy = [[10 * value for value in rounds] for rounds in quiet]
    assert 10 < rounds_needed(quiet, 0.02) < rounds_needed(noisy, 0.02) <= 60
    assert rounds_needed(quiet, 0.2) == 10
    assert rounds_needed(noisy, 0.001, at_most=40) == 40


def test_holm_multiplies_the_smallest_by_the_number_of_tests() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


@pytest.mark.parametrize(
    ("noise", "shape"),
    [
        (Noise(autocorrelation=0.6, round_deviation=0.03, placement_deviation=0.0), (5, 5)),
        (Noise(autocorrelation=0.6, round_deviation=0.03, placement_deviation=0.03), (15, 15)),
        (Noise(autocorrelation=0.3, round_deviation=0.01, placement_deviation=0.02), (5, 5, 5, 5)),
        (Noise(autocorrelation=0.0, round_deviation=0.03, placement_deviation=0.01), None),
    ],
)
def test_intervals_contain_the_true_speed_up(noise: Noise, shape: tuple[int, ...] | None) -> None:
    covered, _, _ = coverage(noise, shape, sessions=200)
    assert covered >= 0.94


def test_quiet_rounds_are_known_to_two_percent_after_two_stages() -> None:
    noise = Noise(autocorrelation=0.3, round_deviation=0.01, placement_deviation=0.005)
    _, half_width, rounds = coverage(noise, None, sessions=50)
    assert half_width <= 0.02
    assert rounds <= 40
