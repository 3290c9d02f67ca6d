"""Simulate runs that start at the minimum of a function f, and measure the gradient that noise causes.

The measure is the mean of ‖∇f(x̄)‖² over the second half of a run, where x̄ is the mean of the workers' models.
"""

import math

from liecbench.tasks.problem import Problem
from liecbench.theory.simulated_cell import SimulatedCell


def stationary_gradient(cell: SimulatedCell, problem: Problem, *, learning_rate: float, steps: int) -> float:
    """Simulate a run that starts at the minimum, and return the mean of ‖∇f(x̄)‖² in the run's second half.

    x̄ is the mean of the workers' models. ‖∇f(x̄)‖² is computed after every fifth step. The result is infinity if the run
    diverges.

    Choose ``steps`` so large that the models are stationary in the second half. Along an eigenvector of the Hessian
    with eigenvalue λ, the models are stationary after about 1/(λ · ``learning_rate``) steps.
    """
    squares = list(cell.train(problem, learning_rate=learning_rate, steps=steps))
    late = squares[len(squares) // 2 :]
    return math.fsum(late) / len(late)
