import math

import pytest

from liecbench.config.choice import Choice
from liecbench.theory.simulated_cell import SimulatedCell, make_problem

TASK = Choice.model_validate({"name": "quadratic", "dimension": 256, "smallest": 0.1, "largest": 2.0})


def cell(algorithm: str, compressor: Choice | None, seed: int = 0) -> SimulatedCell:
    return SimulatedCell(algorithm=Choice(name=algorithm), compressor=compressor, workers=2, seed=seed, server="root")


@pytest.mark.parametrize(
    ("compressor", "expected"),
    [
        (Choice(name="identity"), 1.0),
        (Choice(name="sign"), 2 / math.pi),  # ‖v‖₁²/(n‖v‖₂²) of Gaussian v
        (Choice.model_validate({"name": "random_k", "ratio": 0.25}), 0.25),
    ],
    ids=str,
)
def test_the_contraction_is_that_of_gaussian_gradients(compressor: Choice, expected: float) -> None:
    assert cell("liec", compressor).contraction(make_problem(TASK)) == pytest.approx(expected, abs=0.01)


def test_the_bound_is_the_contraction_over_10_times_the_smoothness() -> None:
    problem = make_problem(TASK)

    assert cell("psgd", None).bound(problem) == pytest.approx(1 / (10 * 2.0))
    assert cell("signsgd", None).bound(problem) is None


def test_each_gradient_meets_other_random_numbers_and_a_contraction_below_0_gives_no_bound() -> None:
    problem, one_level = make_problem(TASK), Choice.model_validate({"name": "qsgd", "levels": 1})
    contraction = cell("csgd", one_level).contraction(problem)

    # E‖v − C(v)‖² = ‖v‖₁‖v‖₂ − ‖v‖₂², and ‖v‖₁/‖v‖₂ of Gaussian v is about √(2 · 256/π).
    assert contraction == pytest.approx(2 - math.sqrt(2 * 256 / math.pi), abs=0.7)  # three standard errors
    assert cell("csgd", one_level).bound(problem) is None


def test_a_seed_repeats_a_run_and_another_does_not() -> None:
    problem, one = make_problem(TASK), Choice.model_validate({"name": "random_k", "ratio": 0.25})
    runs = [list(cell("liec", one, seed).train(problem, learning_rate=0.1, steps=20)) for seed in (0, 0, 1)]

    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    assert len(runs[0]) == 4  # every fifth step


def test_a_run_that_diverges_ends_with_infinity() -> None:
    *_, last = cell("psgd", None).train(make_problem(TASK), learning_rate=1e6, steps=100)

    assert last == math.inf
