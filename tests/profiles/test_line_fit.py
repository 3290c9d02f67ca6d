import pytest

from liecbench.profiles.line_fit import fit_line


def test_points_on_a_line_give_the_line() -> None:
    line = fit_line([(1000, 3e-5), (4000, 6e-5), (16000, 18e-5), (64000, 66e-5)])

    assert (line.constant, line.per_element) == pytest.approx((2e-5, 1e-8))
    assert line.seconds(100) == pytest.approx(2.1e-5)
    assert line.seconds(0) == 0


def test_one_disturbed_point_changes_nothing() -> None:
    line = fit_line([(1000, 3e-5), (4000, 600e-5), (16000, 18e-5), (64000, 66e-5)])

    assert (line.constant, line.per_element) == pytest.approx((2e-5, 1e-8))


def test_neither_the_constant_nor_the_slope_is_negative() -> None:
    falling = fit_line([(1000, 5e-5), (4000, 4e-5), (16000, 3e-5)])
    steep = fit_line([(1000, 1e-6), (4000, 1e-5), (16000, 1e-4)])

    assert (falling.per_element, falling.constant) == pytest.approx((0, 4e-5))
    # The line through 0 and the middle point is 2.5 times too high for the first point, and too low for the last;
    # the lines through the first and the last are 2.5 and 6.25 times off.
    assert (steep.constant, steep.per_element) == pytest.approx((0, 2.5e-9))


def test_one_size_gives_a_line_through_its_point() -> None:
    assert fit_line([(500, 1e-3)]).seconds(500) == pytest.approx(1e-3)
