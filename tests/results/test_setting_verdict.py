import pytest

from tests.simulations.verdict_errors import (
    BUSY,
    QUIET,
    Run,
    Truth,
    accuracy_is,
    anything_false,
    equal_methods,
    power,
    share,
    speed_is,
)

RUNS = 40


@pytest.mark.parametrize(
    ("number", "noise", "num_placements"), [(4, QUIET, 6), (4, BUSY, 2), (4, BUSY, None), (9, BUSY, None)]
)
def test_equal_methods_are_seldom_shown_to_differ(number: int, noise: object, num_placements: int | None) -> None:
    run = Run(truths=equal_methods(number), noise=noise, num_placements=num_placements)  # type: ignore[arg-type]

    assert share(run, anything_false, runs=RUNS) <= 0.1


def test_a_loss_of_the_tolerance_is_seldom_called_kept() -> None:
    run = Run(truths={"rival": Truth(accuracy=-0.005)}, num_placements=None)

    assert share(run, accuracy_is("kept"), runs=3 * RUNS) <= 0.05


def test_two_points_less_and_five_percent_more_speed_are_shown() -> None:
    truths = {**equal_methods(3), "rival": Truth(accuracy=-0.02, speed=1.05)}
    run = Run(truths=truths, seeds=10)

    assert share(run, accuracy_is("lost"), runs=RUNS) >= 0.85
    assert power(run, speed_is("faster"), runs=RUNS)[0] >= 0.9
