"""Linear speed-up, and what P-SGD's noise leaves on a quadratic, by arithmetic."""

import numpy as np
import pytest

from liecbench.config.choice import Choice
from liecbench.theory.simulated_cell import SimulatedCell, make_problem
from liecbench.theory.stationary import stationary_gradient
from liecbench.theory.study_results import speed_up_exponent

SKEWED = Choice.model_validate(
    {"name": "quadratic", "dimension": 64, "smallest": 0.05, "largest": 1.0, "distribution": "exponential"}
)
SIGN = Choice(name="sign")
RATE, STEPS = 0.1, 500
# Seeds that the bounds were tested with: all 20 with --long.
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 20))]


def stationary(algorithm: Choice, compressor: Choice | None, workers: int, seed: int, steps: int = STEPS) -> float:
    cell = SimulatedCell(algorithm=algorithm, compressor=compressor, workers=workers, seed=seed, server="root")
    return stationary_gradient(cell, make_problem(SKEWED), learning_rate=RATE, steps=steps)


def exponent(algorithm: Choice, seed: int) -> float:
    """Return the exponent of the speed-up from 1 to 4 and to 16 workers: 1 is linear, 0 is none."""
    found = speed_up_exponent({workers: [stationary(algorithm, SIGN, workers, seed)] for workers in (1, 4, 16)})
    assert found is not None
    return found.mean


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    "algorithm", [Choice.model_validate({"name": "liec", "average_period": 32}), Choice(name="doublesqueeze")], ids=str
)
def test_methods_with_error_memories_speed_up_linearly(algorithm: Choice, seed: int) -> None:
    assert 0.85 < exponent(algorithm, seed) < 1.15


@pytest.mark.parametrize("seed", SEEDS)
def test_csgd_which_keeps_no_memory_hardly_speeds_up(seed: int) -> None:
    assert exponent(Choice(name="csgd"), seed) < 0.5


@pytest.mark.parametrize("workers", [1, 4])
def test_psgd_leaves_what_the_variance_of_its_iterates_says(workers: int) -> None:
    # Along an eigenvector, x ← (1 − ηλ)x − ηξ has the variance η s²/(λ(2 − ηλ)), where s² = σ²/(64 · workers).
    eigenvalues = np.linspace(0.05, 1.0, 64)
    expected = float((RATE * eigenvalues / (2 - RATE * eigenvalues)).sum()) / (64 * workers)

    assert stationary(Choice(name="psgd"), None, workers, seed=0, steps=2000) == pytest.approx(expected, rel=0.15)
