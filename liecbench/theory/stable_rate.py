"""Search for the largest learning rate at which a method is stable."""

from typing import Final

from liecbench.tasks.problem import Problem
from liecbench.theory.simulated_cell import SimulatedCell

# A run is unstable if a sample of ‖∇f(x̄)‖² exceeds this many times the variance σ² of a stochastic gradient.
_LIMIT: Final = 1000.0
# In units of 1/L. Plain gradient descent is unstable above 2.
_LARGEST: Final = 8.0
_PRECISION: Final = 1.05


def largest_stable_rate(cell: SimulatedCell, problem: Problem, *, steps: int) -> float:
    """Return the largest learning rate, to within 5 %, at which a simulated run is stable; 0 if none is.

    The function to minimise is f, and L is its smoothness. A run is stable if ‖∇f(x̄)‖² is at most 1000 σ² after every
    fifth step. x̄ is the mean of the workers' models. σ² is the variance of a stochastic gradient at the minimum. Only
    rates from 1/(4096 L) to 8/L are tried.

    Args:
        cell: The method, workers and seed.
        problem: The function f.
        steps: The number of steps of a run. A longer run also detects slower divergence.
    """
    high = low = _LARGEST / problem.smoothness
    for _ in range(16):
        if is_stable(cell, problem, learning_rate=low, steps=steps):
            break
        high, low = low, low / 2
    else:
        return 0.0
    while high / low > _PRECISION:
        middle = (low * high) ** 0.5
        if is_stable(cell, problem, learning_rate=middle, steps=steps):
            low = middle
        else:
            high = middle
    return low


def is_stable(cell: SimulatedCell, problem: Problem, *, learning_rate: float, steps: int) -> bool:
    """Return whether a run of ``steps`` steps is stable: ‖∇f(x̄)‖² is at most 1000 σ² after every fifth step.

    f is the problem's function, x̄ the mean of the workers' models, and σ² the variance of a stochastic gradient at the
    minimum.
    """
    limit = _LIMIT * problem.noise_variance
    return all(square <= limit for square in cell.train(problem, learning_rate=learning_rate, steps=steps))
