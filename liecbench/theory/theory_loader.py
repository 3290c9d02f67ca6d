"""Load and check a theory file: report the first mistake, with its line and column, before anything is simulated."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from liecbench.algorithms.block_algorithm import BlockAlgorithm
from liecbench.config import registry
from liecbench.config.choice import Choice
from liecbench.config.yaml_source import Document, Key, load, override
from liecbench.errors import ScenarioError, did_you_mean
from liecbench.theory.simulated_cell import SimulatedCell
from liecbench.theory.study import OfBound, Study, StudyMatrix, TheoryFile

_KEYS: Final = {name for model in (TheoryFile, Study, StudyMatrix, OfBound) for name in model.model_fields}


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
    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    path: Key = ()
    for index, part in enumerate(first["loc"], start=1):
        if (*path, part) in document.places or (index == len(first["loc"]) and isinstance(part, str)):
            path = (*path, part)
    if first["type"] == "extra_forbidden":
        message = f"there is no key {path[-1]!r} here ({did_you_mean(path[-1], _KEYS)})"
        return document.error(path, message, at_key=True)
    if first["type"] != "missing":
        while path and path not in document.places:
            path = path[:-1]
    return document.error(path, registry.describe(first))


def _check_study(document: Document, path: Key, study: Study, file: TheoryFile) -> None:
    _check_choice(document, (*path, "task"), "problem", study.task)
    matrix: Key = (*path, "matrix")
    for index, algorithm in enumerate(study.matrix.algorithm):
        _check_choice(document, (*matrix, "algorithm", index), "algorithm", algorithm)
    for index, compressor in enumerate(study.matrix.compressor):
        _check_choice(document, (*matrix, "compressor", index), "compressor", compressor)
    for index, algorithm in enumerate(study.matrix.algorithm):
        _check_algorithm(document, (*matrix, "algorithm", index), algorithm, study)
    if not study.cells(file.server):
        raise document.error((*matrix, "compressor"), "the key is missing; add it", at_key=True)
    for cell in study.cells(file.server):
        _check_cell(document, matrix, cell, study)


def _check_choice(document: Document, path: Key, kind: registry.Kind, choice: Choice) -> None:
    try:
        registry.resolve(kind, choice.name, choice.options)
    except registry.OptionError as error:
        at = (*path, error.option) if error.option else path
        raise document.error(at, str(error), at_key=error.option not in (None, "name")) from None


def _check_algorithm(document: Document, path: Key, algorithm: Choice, study: Study) -> None:
    cls = registry.load("algorithm", algorithm.name)
    if not (issubclass(cls, BlockAlgorithm) and cls.is_elementwise):
        known = (registry.load("algorithm", name) for name in registry.names("algorithm"))
        names = [
            name
            for name, one in zip(registry.names("algorithm"), known, strict=True)
            if issubclass(one, BlockAlgorithm) and one.is_elementwise
        ]
        raise document.error(path, f"{algorithm.name} cannot be simulated; take one of {', '.join(names)}")
    if registry.needs_compressor(cls) and not study.matrix.compressor:
        message = f"{algorithm.name} needs a compressor; add compressor: [sign] to the matrix"
        raise document.error((*path[:-2], "compressor"), message)


def _check_cell(document: Document, matrix: Key, cell: SimulatedCell, study: Study) -> None:
    try:
        algorithm = cell.make_algorithm()
    except ValueError as error:
        raise document.error(matrix, str(error)) from None
    relative = study.learning_rate is None or isinstance(study.learning_rate, OfBound)
    if relative and algorithm.push_compressor(0) is None and study.measure == "stationary_gradient":
        message = f"{cell.algorithm.name} has no δ, and so no bound δ/(10 L); write the learning rate as a number"
        raise document.error((*matrix[:-1], "learning_rate"), message)
