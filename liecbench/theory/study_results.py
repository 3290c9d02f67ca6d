"""The results of studies: the measured values of every method, as means over seeds with intervals."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from liecbench.config.choice import Choice
from liecbench.results.statistics import Estimate
from liecbench.tasks.problem import Problem
from liecbench.theory.simulated_cell import SimulatedCell, make_problem
from liecbench.theory.stable_rate import largest_stable_rate
from liecbench.theory.stationary import stationary_gradient
from liecbench.theory.study import OfBound, Study, TheoryFile


@dataclass(frozen=True, kw_only=True)
class MethodResult:
    """The result of one method with one compressor.

    Attributes:
        algorithm: The method.
        compressor: The compressor; None if the method takes none.
        contraction: The compressor's contraction δ, measured with the study's first seed on stochastic gradients at the
            function's minimum. None if workers compress nothing in the first step, or if these gradients are all 0.
        bound: The learning rate δ/(10 L), where δ is ``contraction`` and L is the function's smoothness. None if δ is
            None or not above 0.
        measured: Maps each number of workers to the value that ``Study.measure`` names, as the mean over seeds and the
            mean's 95 % interval. None for a number of workers with which a run diverged.
        speed_up_exponent: The exponent a if the measured values are fitted as proportional to workers^(−a): 1 is linear
            speed-up, 0 is no speed-up. None if ``Study.measure`` is not ``stationary_gradient``, if there is only one
            number of workers, if a run diverged, or if a value is 0.
    """

    algorithm: Choice
    compressor: Choice | None
    contraction: float | None
    bound: float | None
    measured: Mapping[int, Estimate | None]
    speed_up_exponent: Estimate | None


@dataclass(frozen=True, kw_only=True)
class StudyResult:
    """The result of a study, in which methods minimise a function with stochastic gradients.

    Attributes:
        study: The study.
        smoothness: The smoothness L of the function.
        noise_variance: The variance σ² of a stochastic gradient at the function's minimum.
        methods: One result per pair of method and compressor, in the order of ``study.methods()``.
    """

    study: Study
    smoothness: float
    noise_variance: float
    methods: Sequence[MethodResult]


def run_study(study: Study, file: TheoryFile, on_method: Callable[[], None] = lambda: None) -> StudyResult:
    """Simulate a study and return the results.

    Args:
        study: The study.
        file: The theory file that contains the study. Only ``file.server``, the place of the server, is used.
        on_method: Called after each pair of method and compressor.
    """
    problem = make_problem(study.task)
    methods = []
    for algorithm, compressor in study.methods():
        cells = [c for c in study.cells(file.server) if (c.algorithm, c.compressor) == (algorithm, compressor)]
        contraction = cells[0].contraction(problem)
        values: dict[int, list[float]] = {cell.workers: [] for cell in cells}
        for cell in cells:
            values[cell.workers].append(_measure(study, cell, problem))
        methods.append(
            MethodResult(
                algorithm=algorithm,
                compressor=compressor,
                contraction=contraction,
                bound=cells[0].bound(problem),
                measured={workers: _estimate(of_seeds) for workers, of_seeds in values.items()},
                speed_up_exponent=speed_up_exponent(values) if study.measure == "stationary_gradient" else None,
            )
        )
        on_method()
    return StudyResult(
        study=study, smoothness=problem.smoothness, noise_variance=problem.noise_variance, methods=methods
    )


def learning_rate_of(study: Study, bound: float | None) -> float | None:
    """Return the learning rate with which a study simulates a method; None if the study searches for the rate.

    If ``study.learning_rate`` is an ``OfBound``, such as ``{of_bound: 0.5}``, return the product of its number and
    ``bound``, such as 0.5 · ``bound``. Otherwise, return ``study.learning_rate``.

    Args:
        study: The study.
        bound: The learning rate below which the theorem holds for the method, as ``SimulatedCell.bound`` returns it;
            None if there is no bound. It must not be None if ``study.learning_rate`` is an ``OfBound``.
    """
    if isinstance(study.learning_rate, OfBound):
        assert bound is not None, "the loader refuses methods without a bound"
        return study.learning_rate.of_bound * bound
    return study.learning_rate


def _measure(study: Study, cell: SimulatedCell, problem: Problem) -> float:
    rate = learning_rate_of(study, cell.bound(problem))
    if rate is None:
        return largest_stable_rate(cell, problem, steps=study.steps)
    return stationary_gradient(cell, problem, learning_rate=rate, steps=study.steps)


def _estimate(values: Sequence[float]) -> Estimate | None:
    return Estimate.of(values) if all(map(math.isfinite, values)) else None


def speed_up_exponent(values: Mapping[int, Sequence[float]]) -> Estimate | None:
    """Return how fast values fall with the number of workers: the exponent a in value ∝ workers^(−a).

    For example, a is 1 if twice as many workers halve the value. For each seed, −a is the slope of the least-squares
    line of ln(value) over ln(workers). The result is the mean of a over the seeds, with a confidence interval. Return
    None if ``values`` has fewer than two numbers of workers, or if a value is 0 or infinite.

    Args:
        values: For each number of workers, one value per seed.
    """
    if len(values) < 2 or not all(0 < value < math.inf for of_seeds in values.values() for value in of_seeds):
        return None
    positions = [math.log(workers) for workers in values]
    middle = math.fsum(positions) / len(positions)
    squares = math.fsum((position - middle) ** 2 for position in positions)
    return Estimate.of(
        [
            -math.fsum((x - middle) * math.log(value) for x, value in zip(positions, of_seed, strict=True)) / squares
            for of_seed in zip(*values.values(), strict=True)
        ]
    )
