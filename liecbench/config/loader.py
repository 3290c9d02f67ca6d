"""A scenario file checked: every mistake is named with its place before anything starts."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from liecbench.config import registry, workload
from liecbench.config.cell import Cell, Choice, Dirichlet, Milestones, Task
from liecbench.config.factory import make_algorithm
from liecbench.config.scenario import AXES, MATRIX, TASK_FIELDS, AlgorithmChoice, Scenario, given, is_like, own_data
from liecbench.config.yaml_source import Document, Key, load, override
from liecbench.errors import ScenarioError, did_you_mean

# Which of a scenario's cells will run.
Choose = Callable[[list[Cell]], list[Cell]]


def load_scenario(path: Path, assignments: Iterable[str] = (), chosen: Choose = list) -> Scenario:
    """Read, override and check a scenario file; ScenarioError with the place of the first mistake.

    Data and models are those of the ``chosen`` cells: what will not run need not be there.
    """
    document = load(path)
    for assignment in assignments:
        document = override(document, assignment)
    return check(document, chosen)


def check(document: Document, chosen: Choose = list) -> Scenario:
    """The scenario in a document, every name, option and combination checked, and the chosen cells' workloads."""
    try:
        scenario = Scenario.model_validate(document.data)
    except ValidationError as error:
        raise _structure_error(document, error) from None
    for path, kind, choice in _choices(scenario):
        try:
            registry.resolve(kind, choice.name, choice.options)
        except registry.OptionError as error:
            at = (*path, error.option) if error.option else path
            raise document.error(at, str(error), at_key=error.option not in (None, "name")) from None
    _check_combinations(document, scenario)
    for cell in chosen(scenario.cells()):
        _check_workload(document, scenario, cell)
    return scenario


def _structure_error(document: Document, error: ValidationError) -> ScenarioError:
    """The first mistake; a key that is not known comes before one that is missing, which it may stand for."""
    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    path: Key = ()
    for index, part in enumerate(first["loc"], start=1):
        # pydantic also names the members of a union here; only what stands in the document is a place.
        if (*path, part) in document.places or (index == len(first["loc"]) and isinstance(part, str)):
            path = (*path, part)
    if first["type"] == "extra_forbidden":
        valid = did_you_mean(path[-1], _valid_keys(path[:-1]))
        return document.error(path, f"there is no key {path[-1]!r} here ({valid})", at_key=True)
    while first["type"] != "missing" and path and path not in document.places:
        path = path[:-1]
    return document.error(path, registry.describe(first))


def _valid_keys(path: Key) -> Iterable[str]:
    if not path:
        return Scenario.model_fields
    if path[-1] == "task":
        return TASK_FIELDS
    if "partition" in path:
        return Dirichlet.model_fields
    return Milestones.model_fields if "schedule" in path else AXES


def _choices(scenario: Scenario) -> Iterator[tuple[Key, registry.Kind, Choice | AlgorithmChoice]]:
    """Everything that the catalog must know, with its place."""
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
    for name in ("algorithm", "workers"):
        if name not in matrix:
            raise document.error(("matrix", name), "the key is missing; add it", at_key=True)
    names = [algorithm.name for algorithm in matrix["algorithm"]]
    if "baseline" in scenario.model_fields_set and scenario.baseline not in names:
        message = f"{scenario.baseline!r} is not an algorithm of the matrix ({did_you_mean(scenario.baseline, names)})"
        raise document.error(("baseline",), message)
    if scenario.backend == "nccl" and scenario.device == "cpu":
        raise document.error(("backend",), "nccl moves GPU memory only; use backend: gloo with device: cpu")
    if scenario.backend == "nccl" and scenario.enforcement == "process":
        message = "process cannot hold nccl to a link: it paces messages over Gloo"
        raise document.error(("enforcement",), f"{message}; use enforcement: kernel, or backend: gloo")
    for path, point in scenario.points():
        _check_point(document, scenario, path, point)
    _check_exclusions(document, scenario)
    _check_links(document, scenario)
    _check_compressors(document, scenario)


def _check_links(document: Document, scenario: Scenario) -> None:
    """Ranks and enforcement of every link; what the machine's kernel can shape is found out when a run begins."""
    for path, _, cell in scenario.kept:
        links = given(scenario.matrix).get("link", ()) if path == MATRIX else ()
        place = (*path, "link", links.index(cell.link)) if cell.link in links else (*path, "link")
        for rank, _ in cell.link.workers:
            if rank >= cell.workers:
                message = f"workers: there is no worker {rank} among {cell.workers}; they count from 0"
                raise document.error(place, message)
        if cell.enforcement == "process" and cell.link.shaped:
            _check_pacing(document, cell, place)


def _check_pacing(document: Document, cell: Cell, place: Key) -> None:
    if any(link.jitter_seconds or link.loss for link in cell.link.links()):
        message = "jitter and loss need a kernel with netem; leave them out, or use enforcement: kernel"
        raise document.error(place, message)
    if not registry.load("algorithm", cell.algorithm.name).supports_pacing:
        reason = "its collectives are torch's own, which no exchange of ours paces"
        message = (
            f"process cannot hold {cell.algorithm.name} to a link: {reason}; remove it, or use enforcement: kernel"
        )
        raise document.error(("enforcement",), message)


def _check_exclusions(document: Document, scenario: Scenario) -> None:
    product = [cell for path, _, cell in scenario.product if path == MATRIX]
    for index, entry in enumerate(scenario.exclude):
        if not any(is_like(cell, entry) for cell in product):
            raise document.error(("exclude", index), "no cell of the matrix is like that; remove it")
    if not scenario.cells():
        raise document.error(("exclude",), "every cell is excluded; remove an entry")


def _check_point(document: Document, scenario: Scenario, path: Key, point: dict[str, Any]) -> None:
    algorithm: AlgorithmChoice = point["algorithm"]
    compresses = registry.takes(registry.load("algorithm", algorithm.name), "compressor")
    if compresses and "compressor" not in point:
        message = f"{algorithm.name} needs a compressor; add compressor: [sign] to the matrix"
        raise document.error((*path, "compressor"), message)
    fields = own_data({**given(scenario.task), **point, **given(algorithm.task)})
    missing = [name for name, field in Task.model_fields.items() if field.is_required() and name not in fields]
    if missing:
        raise document.error(("task", missing[0]), "the key is missing; add it under task or matrix")


def _check_compressors(document: Document, scenario: Scenario) -> None:
    refusals: dict[tuple[str, str], str | None] = {}
    for path, point, cell in scenario.kept:
        if cell.compressor is None:
            continue
        pair = (cell.algorithm.name, cell.compressor.model_dump_json())
        if pair not in refusals:
            refusals[pair] = _refusal(cell.algorithm.name, cell.compressor)
        reason = refusals[pair]
        if reason is not None:
            choice: Choice = point["compressor"]
            index = given(scenario.matrix)["compressor"].index(choice) if path == MATRIX else None
            place = (*path, "compressor") if index is None else (*path, "compressor", index)
            entry = f"{{algorithm: {cell.algorithm.name}, compressor: {choice.name}}}"
            way_out = f"; or exclude: [{entry}]" if path == MATRIX else ""
            raise document.error(place, f"{cell.algorithm.name} refuses {choice.name}: {reason}{way_out}")


def _refusal(algorithm: str, compressor: Choice) -> str | None:
    """Why a method does not work with a compressor."""
    made = registry.load("compressor", compressor.name)(**compressor.options)
    reason: str | None = registry.load("algorithm", algorithm).incompatibility(made)
    return reason


def _check_workload(document: Document, scenario: Scenario, cell: Cell) -> None:
    """Data that are there and right, a model that takes them, and enough of them for a step."""
    try:
        sizes = workload.sizes(cell.task)
    except workload.WorkloadError as error:
        raise document.error(_place(scenario, cell, error.field), str(error)) from error
    available = sizes.num_train_samples
    if isinstance(cell.task.partition, Dirichlet) and not sizes.has_classes:
        message = f"{cell.task.dataset.name} has no classes to divide its samples by; use partition: iid"
        raise document.error(_place(scenario, cell, "partition"), message)
    if sizes.num_test_samples < cell.workers:
        message = (
            f"{cell.task.dataset.name} holds out {sizes.num_test_samples} samples; every worker tests on one at least"
        )
        raise document.error(_place(scenario, cell, "dataset"), message)
    batches = make_algorithm(cell).batches_per_step
    needed = cell.workers * cell.task.batch_size * batches
    if needed > available:
        product = f"{cell.workers} workers × batch {cell.task.batch_size}"
        product += f" × {batches} minibatches" if batches > 1 else ""
        message = f"{product} = {needed} samples a step, and {cell.task.dataset.name} has {available} to train on"
        raise document.error(_place(scenario, cell, "batch_size"), f"{message}; lower batch_size or workers")


def _place(scenario: Scenario, cell: Cell, field: str) -> Key:
    """Where a task field of a cell was written: in an algorithm's own task, in the matrix, or in the task."""
    value, matrix = getattr(cell.task, field), given(scenario.matrix)
    for index, algorithm in enumerate(matrix["algorithm"]):
        if algorithm.name == cell.algorithm.name and _same(given(algorithm.task).get(field), value):
            return ("matrix", "algorithm", index, "task", field)
    for index, swept in enumerate(matrix.get(field, ())):
        if _same(swept, value):
            return ("matrix", field, index)
    return ("task", field)


def _same(written: Any, value: Any) -> bool:
    """Whether a cell's value comes from what was written, defaults filled in since."""
    if isinstance(written, Choice) and isinstance(value, Choice):
        return written.name == value.name and written.options.items() <= value.options.items()
    return bool(written == value)
