"""The contents of a theory file: studies, each with a function to minimise and a matrix of methods."""

import itertools
from typing import Annotated, Any, Literal, Self

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from liecbench.config import registry
from liecbench.config.cell import Seed, Server
from liecbench.config.choice import Choice, CompressorChoice, Model
from liecbench.config.installed_choices import Installed
from liecbench.config.scenario_name import ScenarioName
from liecbench.theory.simulated_cell import SimulatedCell


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


Workers = Annotated[int, Ge(1), Le(1024)]


class OfBound(Model):
    """A learning rate as a multiple of δ/(10 L), such as ``{of_bound: 0.5}`` for δ/(20 L).

    δ is the contraction of the method's compressor, and L is the smoothness of the function that the study minimises.
    Theorem 1 of LIEC-SGD (arXiv 2402.11857) holds for learning rates below δ/(10 L).
    """

    of_bound: Annotated[float, Gt(0)] = Field(description="the learning rate, divided by δ/(10 L)")


def _rate_form(value: object) -> str:
    return "relative" if isinstance(value, dict | OfBound) else "number"


# The form is told first, so that an error is about the form that the file has.
LearningRate = Annotated[
    Annotated[Annotated[float, Gt(0)], Tag("number")] | Annotated[OfBound, Tag("relative")], Discriminator(_rate_form)
]


class StudyMatrix(Model):
    """The values that a study combines. Every combination of algorithm, compressor, workers and seed is measured.

    Attributes:
        algorithm: The algorithms.
        compressor: The compressors. An algorithm that takes none is measured without a compressor.
        workers: The numbers of workers.
        seed: The seeds.
    """

    algorithm: Annotated[list[Annotated[Choice, Installed("algorithm")]], MinLen(1), BeforeValidator(_as_list)]
    compressor: Annotated[list[CompressorChoice], BeforeValidator(_as_list)] = []
    workers: Annotated[list[Workers], MinLen(1), BeforeValidator(_as_list)]
    seed: Annotated[list[Seed], MinLen(1), BeforeValidator(_as_list)] = [0]


class Study(Model):
    """A measurement of several methods, each of which minimises the function f.

    Attributes:
        measure: ``stationary_gradient``: ‖∇f(x̄)‖², averaged over every fifth step of the second half, where x̄ is the
            mean of the workers' models. ``largest_stable_rate``: the largest learning rate at which ‖∇f(x̄)‖² stays
            bounded.
        task: The function.
        steps: The number of steps of a simulation.
        learning_rate: The learning rate η. None if ``measure`` is ``largest_stable_rate``, which searches for the rate.
    """

    measure: Literal["stationary_gradient", "largest_stable_rate"]
    task: Annotated[Choice, Installed("problem")]
    steps: Annotated[int, Ge(20), Le(10**7)]
    learning_rate: LearningRate | None = None
    matrix: StudyMatrix

    @model_validator(mode="after")
    def _check_learning_rate(self) -> Self:
        if (self.learning_rate is None) != (self.measure == "largest_stable_rate"):
            if self.learning_rate is None:
                raise ValueError("learning_rate is missing; write a number, or {of_bound: 1} for δ/(10 L)")
            raise ValueError("largest_stable_rate looks for the learning rate; remove learning_rate")
        return self

    def methods(self) -> list[tuple[Choice, Choice | None]]:
        """Return all pairs (algorithm, compressor); the compressor is None for an algorithm that takes none."""
        pairs: list[tuple[Choice, Choice | None]] = []
        for algorithm in self.matrix.algorithm:
            takes = registry.takes(registry.load("algorithm", algorithm.name), "compressor")
            compressors: list[Choice | None] = [*self.matrix.compressor] if takes else []
            pairs += itertools.product([algorithm], compressors or [None])
        return pairs

    def cells(self, server: Server) -> list[SimulatedCell]:
        """Return the study's simulations, grouped by method. ``server`` is the place of the server in all of them."""
        matrix = self.matrix
        return [
            SimulatedCell(algorithm=method, compressor=compressor, workers=workers, seed=seed, server=server)
            for (method, compressor), workers, seed in itertools.product(self.methods(), matrix.workers, matrix.seed)
        ]


class TheoryFile(Model):
    """The contents of a theory file, which describes simulated optimizations of test functions.

    Attributes:
        name: The name in the JSON output.
        server: The place of the server in all studies: ``root`` or ``sharded``.
        studies: The studies, each with a function to minimise and a matrix of methods.
    """

    name: ScenarioName
    server: Server = "root"
    studies: Annotated[list[Study], MinLen(1)]

    def with_seeds(self, number: int) -> Self:
        """Return the same studies with the seeds 0 to ``number`` − 1."""
        fields: dict[str, Any] = {"seed": list(range(number))}
        studies = [
            study.model_copy(update={"matrix": study.matrix.model_copy(update=fields)}) for study in self.studies
        ]
        return self.model_copy(update={"studies": studies})
