"""Load and check a theory file: report its mistakes, each with its line and column, before anything is simulated."""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from liecbench.algorithms.block_algorithm import BlockAlgorithm
from liecbench.config import refused_value, registry
from liecbench.config.choice import Choice, Model
from liecbench.config.choice_checks import check_choice
from liecbench.config.mistakes import Mistake, refuse
from liecbench.config.overrides import override_all
from liecbench.config.structure_errors import errors_with_paths
from liecbench.config.yaml_source import Document, Key, load
from liecbench.errors import did_you_mean
from liecbench.tasks.problem import Problem
from liecbench.theory.simulated_cell import SimulatedCell, make_problem
from liecbench.theory.study import OfBound, Study, StudyMatrix, TheoryFile

# Options that change only messages, and a simulation sends none.
_WITHOUT_EFFECT: Final = {"psgd": {"per_tensor"}}


def load_theory(path: Path, assignments: Iterable[str] = ()) -> TheoryFile:
    """Return the contents of a theory file, after applying overrides and checking it.

    Args:
        path: The file.
        assignments: ``PATH=VALUE`` of each ``--set``, applied in order.

    Raises:
        ScenarioError: The file has mistakes; the message has the place of each.
    """
    return check_theory(override_all(load(path), assignments))


def check_theory(document: Document) -> TheoryFile:
    """Return the studies in a YAML document. Raises ScenarioError, with the place of each mistake, if it has any."""
    if "matrix" in document.data:
        message = "a scenario to train, not a theory file, which has studies; run it with `liecbench run`"
        refuse(document, [Mistake(("matrix",), message, at_key=True)])
    file, mistakes = None, list[Mistake]()
    try:
        file = TheoryFile.model_validate(document.data)
    except ValidationError as error:
        mistakes = list(_structure_mistakes(document, error))
    refuse(document, mistakes)
    assert file is not None, "pydantic's errors are mistakes"
    studies = [(("studies", index), study) for index, study in enumerate(file.studies)]
    for check in (_check_choices, _check_algorithms):
        refuse(document, (mistake for path, study in studies for mistake in check(path, study)))
    refuse(document, (mistake for path, study in studies for mistake in _check_cells(path, study, file)))
    return file


def _structure_mistakes(document: Document, error: ValidationError) -> Iterator[Mistake]:
    for path, one in errors_with_paths(document, error):
        if one["type"] == "extra_forbidden":
            hint = did_you_mean(str(path[-1]), _keys(path[:-1]))
            yield Mistake(path, f"there is no key {path[-1]!r} here ({hint})", at_key=True)
        else:
            is_rate = path[-1:] == ("learning_rate",)
            forms = "; write a number above 0, or {of_bound: 1} for δ/(10 L)" if is_rate else ""
            yield Mistake(path, refused_value.describe(one) + forms)


def _keys(path: Key) -> Collection[str]:
    """Return the keys that the section at ``path`` can have."""
    if not path:
        return TheoryFile.model_fields
    models: dict[str | int, type[Model]] = {"matrix": StudyMatrix, "learning_rate": OfBound}
    return models.get(path[-1], Study).model_fields


def _check_choices(path: Key, study: Study) -> Iterator[Mistake]:
    """Yield the mistakes in names and options of a study; ``path`` is the study's path in the document."""
    matrix: Key = (*path, "matrix")
    yield from check_choice((*path, "task"), "problem", study.task.name, study.task.options)
    for index, one in enumerate(study.matrix.algorithm):
        yield from check_choice((*matrix, "algorithm", index), "algorithm", one.name, one.options)
    for index, one in enumerate(study.matrix.compressor):
        yield from check_choice((*matrix, "compressor", index), "compressor", one.name, one.options)


def _check_algorithms(path: Key, study: Study) -> Iterator[Mistake]:
    for index, algorithm in enumerate(study.matrix.algorithm):
        yield from _check_algorithm((*path, "matrix", "algorithm", index), algorithm, study)


def _check_cells(path: Key, study: Study, file: TheoryFile) -> Iterator[Mistake]:
    """Yield the mistakes in what is combined in one cell of a study, and in the learning rate."""
    unfit = False
    for cell in study.cells(file.server):
        try:
            cell.make_algorithm()
        except ValueError as error:
            unfit = True
            at = () if cell.compressor is None else ("compressor", study.matrix.compressor.index(cell.compressor))
            yield Mistake((*path, "matrix", *at), str(error))
    if isinstance(study.learning_rate, OfBound) and not unfit:
        problem = make_problem(study.task)
        for cell in study.cells(file.server):
            # A bound does not depend on the number of workers, and hardly on the seed.
            if (cell.workers, cell.seed) == (study.matrix.workers[0], study.matrix.seed[0]):
                yield from _check_bound((*path, "learning_rate"), cell, problem)


def _check_algorithm(path: Key, algorithm: Choice, study: Study) -> Iterator[Mistake]:
    if not _can_be_simulated(algorithm.name):
        names = ", ".join(filter(_can_be_simulated, registry.names("algorithm")))
        yield Mistake(path, f"{algorithm.name} cannot be simulated; take one of {names}")
        return
    for option in sorted(
        _WITHOUT_EFFECT.get(algorithm.name, set()) & {name for name, on in algorithm.options.items() if on}
    ):
        message = "the option changes only messages, and a simulation sends none; remove it"
        yield Mistake((*path, option), message, at_key=True)
    if registry.needs_compressor(registry.load("algorithm", algorithm.name)) and not study.matrix.compressor:
        message = f"{algorithm.name} needs a compressor; add compressor: [sign] to the matrix"
        yield Mistake((*path[:-2], "compressor"), message)


def _can_be_simulated(name: str) -> bool:
    cls = registry.load("algorithm", name)
    return issubclass(cls, BlockAlgorithm) and cls.is_elementwise


def _check_bound(path: Key, cell: SimulatedCell, problem: Problem) -> Iterator[Mistake]:
    if cell.bound(problem) is None:
        compressor = "" if cell.compressor is None else f" with {cell.compressor.name}"
        message = f"{cell.algorithm.name}{compressor} has no δ above 0, and so no bound δ/(10 L)"
        yield Mistake(path, f"{message}; write the learning rate as a number")
