"""One simulation of a study: a method with a number of workers and a seed, on a function whose gradient is known."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Generator, Tensor

from liecbench.algorithms.base import NonFiniteError
from liecbench.algorithms.block_algorithm import BlockAlgorithm
from liecbench.algorithms.comm.simulated_exchange import SimulatedExchange
from liecbench.algorithms.simulated_workers import SimulatedWorkers
from liecbench.config import registry
from liecbench.config.cell import Server
from liecbench.config.choice import Choice
from liecbench.config.factory import make_compressor
from liecbench.tasks.problem import Problem

_BOUND_DIVISOR: Final = 10  # of the paper's theorem 1: η < δ/(10 L)
_NUM_SAMPLED: Final = 256
_STEPS_PER_SAMPLE: Final = 5


@dataclass(frozen=True, kw_only=True)
class SimulatedCell:
    """The settings of a simulation of several workers, which train with one method to minimise a function.

    All workers start at the minimum of the function, so that only the noise of their gradients moves them.
    """

    algorithm: Choice
    compressor: Choice | None
    workers: int
    seed: int
    server: Server

    def make_algorithm(self) -> BlockAlgorithm:
        """Return a new instance of the method."""
        cls = registry.load("algorithm", self.algorithm.name)
        parts: dict[str, object] = {"server": self.server} if registry.takes(cls, "server") else {}
        if self.compressor is not None:
            parts["compressor"] = make_compressor(self.compressor, self.seed)
        algorithm: BlockAlgorithm = cls(**self.algorithm.options, **parts)
        return algorithm

    def contraction(self, problem: Problem) -> float | None:
        """Return δ, the contraction of the compressor C that workers use in the first step.

        δ = 1 − E‖v − C(v)‖² / E‖v‖², where E is the mean over 256 stochastic gradients v at the minimum of the problem.
        Return None if there is no compressor, or if all these gradients are 0.
        """
        algorithm = self.make_algorithm()
        compressor = algorithm.push_compressor(0)
        if compressor is None:
            return None
        vectors = problem.stochastic_gradients(problem.minimum().repeat(_NUM_SAMPLED, 1), self._random())
        square = float(vectors.square().sum())
        one_by_one = SimulatedExchange(1, self.server)
        for number, vector in enumerate(vectors):
            one_by_one.begin(step=number, block=0)  # other random numbers for each vector
            one_by_one.keep_residual(compressor, vector)
        return 1 - float(vectors.square().sum()) / square if square else None

    def bound(self, problem: Problem) -> float | None:
        """Return the bound on the learning rate below which theorem 1 of LIEC-SGD (arXiv 2402.11857) holds.

        The bound is δ/(10 L). δ is the result of ``contraction``, and L is ``problem.smoothness``. Return None if δ is
        None, 0 or negative.
        """
        contraction = self.contraction(problem)
        if contraction is None or contraction <= 0:
            return None
        return contraction / (_BOUND_DIVISOR * problem.smoothness)

    def train(self, problem: Problem, *, learning_rate: float, steps: int) -> Iterator[float]:
        """Train, and yield ‖∇f(x̄)‖² after every fifth step, where x̄ is the mean model.

        If a gradient is not finite, yield infinity and end.
        """
        random, algorithm = self._random(), self.make_algorithm()
        workers = SimulatedWorkers(algorithm, problem.minimum(), num_workers=self.workers, learning_rate=learning_rate)
        for step in range(1, steps + 1):
            try:
                workers.step(problem.stochastic_gradients(workers.models, random))
            except NonFiniteError:
                yield float("inf")
                return
            if step % _STEPS_PER_SAMPLE == 0:
                yield _square(problem.gradient(workers.models.mean(dim=0)))

    def _random(self) -> Generator:
        return torch.Generator().manual_seed(self.seed)


def _square(vector: Tensor) -> float:
    square = float(vector.square().sum())
    return square if square == square else float("inf")


def make_problem(task: Choice) -> Problem:
    """Return the function to minimise that ``task`` names, with the options of ``task``."""
    made: Any = registry.load("problem", task.name)(**registry.resolve("problem", task.name, task.options))
    assert isinstance(made, Problem), "the registry checks the base class"
    return made
