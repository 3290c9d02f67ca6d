"""Load and check a scenario file: report the first mistake, with its line and column, before anything runs."""

import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pydantic import ValidationError

from liecbench.config import registry, workload, workload_sizes
from liecbench.config.axes import REQUIRED_AXES, AlgorithmChoice
from liecbench.config.baseline_checks import check_baseline
from liecbench.config.cell import Cell
from liecbench.config.choice import Choice
from liecbench.config.compressor_checks import check_compressors
from liecbench.config.compute_checks import (
    check_compute,
    check_dilation,
    check_profile,
    check_profile_alone,
    check_profile_task,
    check_timing_only,
)
from liecbench.config.compute_choice import DIRECTORY_KEY
from liecbench.config.exclusion import matches
from liecbench.config.factory import make_algorithm
from liecbench.config.link_checks import check_links
from liecbench.config.matrix_point import MatrixPoint, given
from liecbench.config.misplaced_field import misplaced_field
from liecbench.config.optimizer_checks import check_optimizers, check_training
from liecbench.config.scenario import MATRIX, Scenario
from liecbench.config.structure_errors import structure_error
from liecbench.config.target_checks import check_target
from liecbench.config.task import Dirichlet, Task
from liecbench.config.yaml_source import Document, Key, load, override

if TYPE_CHECKING:
    from liecbench.algorithms.base import Algorithm

_MOST_CELLS = 100_000
# Returns the cells that will run, given all cells of a scenario.
Choose = Callable[[list[Cell]], list[Cell]]


def load_scenario(path: Path, assignments: Iterable[str] = (), chosen: Choose = list) -> Scenario:
    """Return the scenario in a file, after applying overrides and checking it.

    Args:
        path: The file.
        assignments: ``PATH=VALUE`` of each ``--set``, applied in order.
        chosen: A function that, given all cells, returns those that will run. Data and models of other cells are not
            checked.

    Raises:
        ScenarioError: The scenario has a mistake; the message starts with the place of the first one.
    """
    document = load(path)
    for assignment in assignments:
        document = override(document, assignment)
    return check(document, chosen)


def check(document: Document, chosen: Choose = list) -> Scenario:
    """Return the scenario in a YAML document, after checking it.

    Args:
        document: The YAML document.
        chosen: A function that, given all cells, returns those that will run. Data and models of other cells are not
            checked.

    Raises:
        ScenarioError: The scenario has a mistake; the message starts with the place of the first one.
    """
    if "studies" in document.data:
        message = "simulated studies, not a scenario to train; run `liecbench theory` with this file"
        raise document.error(("studies",), message, at_key=True)
    try:
        scenario = Scenario.model_validate(document.data, context={DIRECTORY_KEY: Path(document.source).parent})
    except ValidationError as error:
        raise structure_error(document, error) from None
    for path, kind, choice in _choices(scenario):
        try:
            registry.resolve(kind, choice.name, choice.options)
        except registry.OptionError as error:
            at = (*path, error.option) if error.option else path
            message = misplaced_field(choice, error.option) or str(error)
            raise document.error(at, message, at_key=error.option not in (None, "name")) from None
    _check_combinations(document, scenario)
    points = {cell.id: point for point, cell in reversed(scenario.kept)}
    cells = chosen(scenario.cells())
    for cell in cells:
        _check_workload(document, points[cell.id], cell)
        check_profile(document, scenario, cell)
    check_target(document, scenario, [cell for cell in cells if cell.is_trained])
    return scenario


def _choices(scenario: Scenario) -> Iterator[tuple[Key, registry.Kind, Choice | AlgorithmChoice]]:
    """Yield (path in the file, kind, choice) for each choice in the scenario, such as a model or an optimizer."""
    yield from _point_choices(("task",), given(scenario.task))
    for name, values in given(scenario.matrix).items():
        for index, value in enumerate(values):
            yield from _value_choices(("matrix", name, index), name, value)
    for section in ("exclude", "include"):
        for index, point in enumerate(getattr(scenario, section)):
            yield from _point_choices((section, index), given(point))


def _point_choices(path: Key, fields: dict[str, Any]) -> Iterator[tuple[Key, registry.Kind, Any]]:
    for name, value in fields.items():
        yield from _value_choices((*path, name), name, value)


def _value_choices(path: Key, name: str, value: Any) -> Iterator[tuple[Key, registry.Kind, Any]]:
    kinds: dict[str, registry.Kind] = {kind: kind for kind in get_args(registry.Kind)}
    if name in kinds:
        yield path, kinds[name], value
    if isinstance(value, AlgorithmChoice):
        yield from _point_choices((*path, "task"), given(value.task))


def _check_combinations(document: Document, scenario: Scenario) -> None:
    matrix = given(scenario.matrix)
    _check_size(document, scenario, matrix)
    for name in REQUIRED_AXES:
        if name not in matrix:
            raise document.error((*MATRIX, name), "the key is missing; add it", at_key=True)
    if scenario.backend == "nccl" and scenario.device == "cpu":
        raise document.error(("backend",), "nccl moves GPU memory only; use backend: gloo with device: cpu")
    if scenario.backend == "nccl" and scenario.enforcement == "process":
        message = "process cannot pace nccl: it paces messages over Gloo alone"
        raise document.error(("enforcement",), f"{message}; use enforcement: kernel, or backend: gloo")
    check_compute(document, scenario)
    for point in scenario.points():
        _check_point(document, point)
    check_timing_only(document, scenario)
    _check_exclusions(document, scenario)
    if "baseline" in scenario.model_fields_set:
        check_baseline(document, scenario)
    check_links(document, scenario)
    check_compressors(document, scenario)
    check_optimizers(document, scenario)
    check_dilation(document, scenario)


def _check_size(document: Document, scenario: Scenario, matrix: dict[str, Any]) -> None:
    """Raise ScenarioError if there are more cells than can be listed in reasonable time."""
    lengths = {name: len(values) for name, values in matrix.items()}
    num_cells = math.prod(lengths.values()) + len(scenario.include)
    if num_cells > _MOST_CELLS:
        factors = " × ".join(f"{length:,} of {name}" for name, length in lengths.items() if length > 1)
        message = f"{num_cells:,} cells ({factors}), and at most {_MOST_CELLS:,} are allowed"
        raise document.error(MATRIX, f"{message}; give fewer values, or several scenarios", at_key=True)


def _check_exclusions(document: Document, scenario: Scenario) -> None:
    product = [cell for point, cell in scenario.product if point.section == MATRIX]
    for index, entry in enumerate(scenario.exclude):
        if not any(matches(cell, entry) for cell in product):
            raise document.error(("exclude", index), "no cell of the matrix matches; remove it")
    if not scenario.cells():
        raise document.error(("exclude",), "every cell is excluded; remove an entry")


def _check_point(document: Document, point: MatrixPoint) -> None:
    algorithm: AlgorithmChoice = point.value("algorithm")
    cls = registry.load("algorithm", algorithm.name)
    if "compressor" not in point.fields and registry.needs_compressor(cls):
        message = f"{algorithm.name} needs a compressor; add compressor: [sign] to the matrix"
        raise document.error(point.path("compressor"), message)
    if "profile" in point.fields:
        check_profile_alone(document, point)
        return
    required = (name for name, field in Task.model_fields.items() if field.is_required())
    missing = next((name for name in required if name not in point.fields), None)
    if missing is not None:
        raise document.error(("task", missing), "the key is missing; add it under task or matrix")


def _made(document: Document, point: MatrixPoint, cell: Cell) -> "Algorithm":
    """Return the cell's algorithm. Raises ScenarioError if an option does not fit the length of the run.

    ``document`` and ``point`` are used to name the option's place in the scenario file.
    """
    from liecbench.algorithms.run_length import RunLengthError

    try:
        return make_algorithm(cell)
    except RunLengthError as error:
        raise document.error((*point.path("algorithm"), error.option), str(error)) from None


def _check_workload(document: Document, point: MatrixPoint, cell: Cell) -> None:
    """Raise ScenarioError if the task cannot be trained, or if task, method and worker count do not fit together."""
    if not cell.is_trained:
        check_profile_task(document, point, cell)
        return
    try:
        sizes = workload_sizes.sizes(cell.task)
    except workload.WorkloadError as error:
        raise document.error(point.path(error.field), str(error)) from error
    dataset, method = cell.task.dataset.name, cell.algorithm.name
    if sizes.sparse_parameter is not None and not registry.load("algorithm", method).supports_sparse:
        message = (
            f"{method} exchanges dense gradients, and parameter {sizes.sparse_parameter} of {cell.task.model.name} has "
            "sparse ones; make its embedding with sparse=False, or compare methods such as ddp that take sparse ones"
        )
        raise document.error(point.path("algorithm"), message)
    if isinstance(cell.task.partition, Dirichlet) and not sizes.has_classes:
        message = f"{dataset} has no classes to divide its samples by; use partition: iid"
        raise document.error(point.path("partition"), message)
    if sizes.num_test_samples < cell.workers:
        message = (
            f"{dataset} holds out {sizes.num_test_samples} samples, and each of {cell.workers} workers tests on one"
        )
        raise document.error(point.path("dataset"), f"{message}; hold out more, or lower workers")
    algorithm = _made(document, point, cell)
    if reason := algorithm.incompatible_model(sizes.parameters):
        raise document.error(point.path("algorithm"), f"{method} does not work with {cell.task.model.name}: {reason}")
    check_training(document, point, cell, algorithm, sizes)
