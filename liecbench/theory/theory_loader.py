"""Load and check a theory file: report the first mistake, with its line and column, before anything is simulated."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from liecbench.algorithms.block_algorithm import BlockAlgorithm
from liecbench.config import refused_value, registry
from liecbench.config.choice import Choice, Model
from liecbench.config.structure_errors import first_error
from liecbench.config.yaml_source import Document, Key, load, override
from liecbench.errors import ScenarioError, did_you_mean
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
        ScenarioError: The file has a mistake; the message starts with the place of the first one.
    """
    document = load(path)
    for assignment in assignments:
        document = override(document, assignment)
    return check_theory(document)


def check_theory(document: Document) -> TheoryFile:
    """Return the studies in a YAML document. Raises ScenarioError, with the place in the file, at the first mistake."""
    if "matrix" in document.data:
        message = "a scenario to train, not a theory file, which has studies; run it with `liecbench run`"
        raise document.error(("matrix",), message, at_key=True)
    try:
        file = TheoryFile.model_validate(document.data)
    except ValidationError as error:
        raise _structure_error(document, error) from None
    for index, study in enumerate(file.studies):
        _check_study(document, ("studies", index), study, file)
    return file


def _structure_error(document: Document, error: ValidationError) -> ScenarioError:
    first, path = first_error(document, error)
    if first["type"] == "extra_forbidden":
        message = f"there is no key {path[-1]!r} here ({did_you_mean(str(path[-1]), _keys(path[:-1]))})"
        return document.error(path, message, at_key=True)
    forms = "; write a number above 0, or {of_bound: 1} for δ/(10 L)" if path[-1:] == ("learning_rate",) else ""
    return document.error(path, refused_value.describe(first) + forms)


def _keys(path: Key) -> Collection[str]:
    """Return the keys that the section at ``path`` can have."""
    if not path:
        return TheoryFile.model_fields
    models: dict[str | int, type[Model]] = {"matrix": StudyMatrix, "learning_rate": OfBound}
    return models.get(path[-1], Study).model_fields


def _check_study(document: Document, path: Key, study: Study, file: TheoryFile) -> None:
    _check_choice(document, (*path, "task"), "problem", study.task)
    matrix: Key = (*path, "matrix")
    for index, algorithm in enumerate(study.matrix.algorithm):
        _check_choice(document, (*matrix, "algorithm", index), "algorithm", algorithm)
    for index, compressor in enumerate(study.matrix.compressor):
        _check_choice(document, (*matrix, "compressor", index), "compressor", compressor)
    for index, algorithm in enumerate(study.matrix.algorithm):
        _check_algorithm(document, (*matrix, "algorithm", index), algorithm, study)
    for cell in study.cells(file.server):
        try:
            cell.make_algorithm()
        except ValueError as error:
            at = () if cell.compressor is None else ("compressor", study.matrix.compressor.index(cell.compressor))
            raise document.error((*matrix, *at), str(error)) from None
    if isinstance(study.learning_rate, OfBound):
        problem = make_problem(study.task)
        for cell in study.cells(file.server):
            # A bound does not depend on the number of workers, and hardly on the seed.
            if (cell.workers, cell.seed) == (study.matrix.workers[0], study.matrix.seed[0]):
                _check_bound(document, (*path, "learning_rate"), cell, problem)


def _check_choice(document: Document, path: Key, kind: registry.Kind, choice: Choice) -> None:
    try:
        registry.resolve(kind, choice.name, choice.options)
    except registry.OptionError as error:
        at = (*path, error.option) if error.option else path
        raise document.error(at, str(error), at_key=error.option not in (None, "name")) from None


def _check_algorithm(document: Document, path: Key, algorithm: Choice, study: Study) -> None:
    if not _can_be_simulated(algorithm.name):
        names = ", ".join(filter(_can_be_simulated, registry.names("algorithm")))
        raise document.error(path, f"{algorithm.name} cannot be simulated; take one of {names}")
    for option in sorted(
        _WITHOUT_EFFECT.get(algorithm.name, set()) & {name for name, on in algorithm.options.items() if on}
    ):
        message = "the option changes only messages, and a simulation sends none; remove it"
        raise document.error((*path, option), message, at_key=True)
    if registry.needs_compressor(registry.load("algorithm", algorithm.name)) and not study.matrix.compressor:
        message = f"{algorithm.name} needs a compressor; add compressor: [sign] to the matrix"
        raise document.error((*path[:-2], "compressor"), message)


def _can_be_simulated(name: str) -> bool:
    cls = registry.load("algorithm", name)
    return issubclass(cls, BlockAlgorithm) and cls.is_elementwise


def _check_bound(document: Document, path: Key, cell: SimulatedCell, problem: Problem) -> None:
    if cell.bound(problem) is None:
        compressor = "" if cell.compressor is None else f" with {cell.compressor.name}"
        message = f"{cell.algorithm.name}{compressor} has no δ above 0, and so no bound δ/(10 L)"
        raise document.error(path, f"{message}; write the learning rate as a number")
