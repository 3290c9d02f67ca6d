"""Load and check a scenario file: report its mistakes, each with its line and column, before anything runs."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from liecbench.config import registry, workload, workload_sizes
from liecbench.config.baseline_checks import check_baseline
from liecbench.config.cell import Cell
from liecbench.config.choice_checks import check_choices
from liecbench.config.compressor_checks import check_compressors
from liecbench.config.compute_checks import (
    check_compute,
    check_dilation,
    check_profile,
    check_profile_task,
    check_timing_only,
)
from liecbench.config.compute_choice import DIRECTORY_KEY
from liecbench.config.exclusion import matches
from liecbench.config.factory import make_algorithm
from liecbench.config.link_checks import check_links
from liecbench.config.matrix_point import MatrixPoint, given
from liecbench.config.missing_fields import check_missing_fields
from liecbench.config.missing_times import check_times
from liecbench.config.mistakes import Mistake, refuse
from liecbench.config.optimizer_checks import check_optimizers, check_training
from liecbench.config.overrides import override_all
from liecbench.config.scenario import MATRIX, Scenario
from liecbench.config.structure_errors import structure_mistakes
from liecbench.config.target_checks import check_target
from liecbench.config.task import Dirichlet
from liecbench.config.yaml_source import Document, Key, load

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
        ScenarioError: The scenario has mistakes; the message has the place of each.
    """
    return check(override_all(load(path), assignments), chosen)


def check(document: Document, chosen: Choose = list) -> Scenario:
    """Return the scenario in a YAML document, after checking it.

    Args:
        document: The YAML document.
        chosen: A function that, given all cells, returns those that will run. Data and models of other cells are not
            checked.

    Raises:
        ScenarioError: The scenario has mistakes; the message has the place of each.
    """
    _refuse_studies(document)
    scenario = _valid(document)
    refuse(document, _check_combinations(scenario))
    points = {cell.id: point for point, cell in reversed(scenario.kept)}
    cells = chosen(scenario.cells())
    refuse(document, _check_workloads(scenario, [(points[cell.id], cell) for cell in cells]))
    return scenario


def _refuse_studies(document: Document) -> None:
    if "studies" in document.data:
        message = "simulated studies, not a scenario to train; run `liecbench theory` with this file"
        refuse(document, [Mistake(("studies",), message, at_key=True)])


def _valid(document: Document) -> Scenario:
    """Return the scenario, after checking each key, value, name and option on its own.

    Raises ScenarioError, which lists all invalid and missing ones.
    """
    scenario, mistakes = None, list[Mistake]()
    try:
        scenario = Scenario.model_validate(document.data, context={DIRECTORY_KEY: Path(document.source).parent})
    except ValidationError as error:
        mistakes = list(structure_mistakes(document, error))
    refuse(document, [*mistakes, *check_choices(document), *check_missing_fields(document)])
    assert scenario is not None, "pydantic's errors are mistakes"
    return scenario


def _check_combinations(scenario: Scenario) -> Iterator[Mistake]:
    """Yield the mistakes in values that do not fit together, as far as no data or models are needed to see them."""
    too_large = list(_check_size(scenario))
    yield from too_large
    timing_only = [] if too_large else list(check_timing_only(scenario))
    yield from timing_only
    if not timing_only:
        # What resolves one contradiction between settings often resolves the next.
        yield from itertools.islice(itertools.chain(_check_backend(scenario), check_compute(scenario)), 1)
    if not too_large:
        yield from _check_cells(scenario)


def _check_backend(scenario: Scenario) -> Iterator[Mistake]:
    if scenario.backend == "nccl" and scenario.device == "cpu":
        yield Mistake(("backend",), "nccl moves GPU memory only; use backend: gloo with device: cpu")
    if scenario.backend == "nccl" and scenario.enforcement == "process":
        message = "process cannot pace nccl: it paces messages over Gloo alone"
        yield Mistake(("enforcement",), f"{message}; use enforcement: kernel, or backend: gloo")


def _check_size(scenario: Scenario) -> Iterator[Mistake]:
    """Yield a mistake if there are more cells than can be listed in reasonable time."""
    lengths = {name: len(values) for name, values in given(scenario.matrix).items()}
    included = (math.prod(map(len, given(entry).values())) for entry in scenario.include)
    num_cells = math.prod(lengths.values()) + sum(included)
    if num_cells > _MOST_CELLS:
        factors = " × ".join(f"{length:,} of {name}" for name, length in lengths.items() if length > 1)
        message = f"{num_cells:,} cells ({factors}), and at most {_MOST_CELLS:,} are allowed"
        yield Mistake(MATRIX, f"{message}; give fewer values, or several scenarios", at_key=True)


def _check_cells(scenario: Scenario) -> Iterator[Mistake]:
    """Yield the mistakes in what is combined in one cell, without loading data or models."""
    yield from _check_exclusions(scenario)
    if not scenario.cells():
        return
    if "baseline" in scenario.model_fields_set:
        yield from check_baseline(scenario)
    yield from check_links(scenario)
    yield from check_compressors(scenario)
    yield from check_dilation(scenario)
    yield from check_optimizers(scenario)


def _check_exclusions(scenario: Scenario) -> Iterator[Mistake]:
    product = [cell for point, cell in scenario.product if point.section == MATRIX]
    for index, entry in enumerate(scenario.exclude):
        if not any(matches(cell, entry) for cell in product):
            yield Mistake(("exclude", index), "no cell of the matrix matches; remove it")
    if not scenario.cells():
        yield Mistake(("exclude",), "every cell is excluded; remove an entry")


def _check_workloads(scenario: Scenario, chosen: Sequence[tuple[MatrixPoint, Cell]]) -> Iterator[Mistake]:
    """Yield the mistakes in what depends on data and models.

    Cells with the same data and model report the mistakes at one place of the document only once.
    """
    unusable, wrong = set[Key](), set[tuple[Key, ...]]()
    fitting = list[tuple[MatrixPoint, Cell]]()
    for point, cell in chosen:
        workload_paths = (point.path("dataset"), point.path("model"))
        # Neither is tried a second time: it may take long to see that data are missing.
        if unusable.intersection(workload_paths):
            continue
        try:
            mistakes = list(_check_workload(point, cell)) or list(check_profile(scenario, cell))
        except workload.WorkloadError as error:
            path = point.path(error.field)
            unusable.add(path)
            yield Mistake(path, str(error))
            continue
        if not mistakes or not cell.is_trained:
            fitting.append((point, cell))
        yield from (mistake for mistake in mistakes if (mistake.path, *workload_paths) not in wrong)
        wrong |= {(mistake.path, *workload_paths) for mistake in mistakes}
    yield from check_times(scenario, fitting)
    if not unusable:
        yield from check_target(scenario, [cell for _, cell in chosen if cell.is_trained])


def _check_workload(point: MatrixPoint, cell: Cell) -> Iterator[Mistake]:
    """Yield a mistake if task, method and number of workers do not fit together.

    Raises WorkloadError if the data cannot be loaded, or the model cannot be trained.
    """
    from liecbench.algorithms.run_length import RunLengthError

    if not cell.is_trained:
        yield from check_profile_task(point, cell)
        return
    sizes = workload_sizes.sizes(cell.task)
    yield from _check_sizes(point, cell, sizes)
    try:
        algorithm = make_algorithm(cell)
    except RunLengthError as error:
        yield Mistake((*point.path("algorithm"), error.option), str(error))
        return
    if reason := algorithm.incompatible_model(sizes.parameters):
        message = f"{cell.algorithm.name} does not work with {cell.task.model.name}: {reason}"
        yield Mistake(point.path("algorithm"), message)
    yield from check_training(point, cell, algorithm, sizes)


def _check_sizes(point: MatrixPoint, cell: Cell, sizes: workload_sizes.Sizes) -> Iterator[Mistake]:
    """Yield the mistakes if the cell's data and model, whose sizes are ``sizes``, do not suit its other values."""
    dataset, method = cell.task.dataset.name, cell.algorithm.name
    if sizes.sparse_parameter is not None and not registry.load("algorithm", method).supports_sparse:
        message = (
            f"{method} exchanges dense gradients, and parameter {sizes.sparse_parameter} of {cell.task.model.name} has "
            "sparse ones; make its embedding with sparse=False, or compare methods such as ddp that take sparse ones"
        )
        yield Mistake(point.path("algorithm"), message)
    if isinstance(cell.task.partition, Dirichlet) and not sizes.has_classes:
        message = f"{dataset} has no classes to divide its samples by; use partition: iid"
        yield Mistake(point.path("partition"), message)
    if sizes.num_test_samples < cell.workers:
        message = (
            f"{dataset} holds out {sizes.num_test_samples} samples, and each of {cell.workers} workers tests on one"
        )
        yield Mistake(point.path("dataset"), f"{message}; hold out more, or lower workers")
