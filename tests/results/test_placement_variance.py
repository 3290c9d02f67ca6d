import pytest

from liecbench.results.placement_variance import expected_variance, pooled_variance, variance_of_means


def test_few_placements_are_pooled_with_what_placements_usually_differ_by() -> None:
    # 2 · (0.025² + 0.0001) and 3 · 0.0009, of five degrees of freedom.
    variance, degrees = pooled_variance(0.0009, 0.0001, 4)

    assert variance == pytest.approx(0.00083)
    assert degrees == 5


@pytest.mark.parametrize(("rounds", "variance"), [([[0.1, 0.3]], 0.0), ([[0.1, 0.3], [0.5, 0.7]], 0.08)])
def test_of_few_rounds_only_the_spread_of_means_counts(rounds: list[list[float]], variance: float) -> None:
    assert variance_of_means(rounds) == pytest.approx(variance)


def test_a_drift_over_the_rounds_counts_as_variance_of_the_mean() -> None:
    # The autocorrelation is cut to 0.8: 1 + 2 · (5/6 · 0.8 + 4/6 · 0.64 + 3/6 · 0.512 + 2/6 · 0.4096 + 1/6 · 0.32768)
    inflation = 4.08096

    assert variance_of_means([[-1.0, -1.0, -1.0, 1.0, 1.0, 1.0]]) == pytest.approx(inflation / (6 - inflation))


def test_without_a_placement_of_two_rounds_nothing_is_expected() -> None:
    assert expected_variance([[0.1], [0.3]]) is None
    assert expected_variance([[0.1, 0.1], [0.3, 0.3]]) == 0.0
