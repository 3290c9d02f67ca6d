"""A scenario file: YAML → Scenario → Cells; every mistake is named with its place before anything starts."""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import BaseModel, BeforeValidator, Field, ValidationError, create_model, model_serializer, model_validator

from liecbench import catalog
from liecbench.cell import (
    BlockBytes,
    Cell,
    Choice,
    LinkField,
    Milestones,
    Model,
    Positive,
    Server,
    Task,
    split_options,
)
from liecbench.document import Document, Key, load, nearest, override
from liecbench.errors import ScenarioError
from liecbench.link import Link

_TASK_FIELDS = tuple(Task.model_fields)


def _as_list(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


# Every field optional: a task may be spread over the task section, the matrix and an algorithm's own task.
_task_types = {name: kind for name, kind in get_type_hints(Task, include_extras=True).items() if name in _TASK_FIELDS}
_partial: dict[str, Any] = {name: (kind, None) for name, kind in _task_types.items()}
PartialTask: type[BaseModel] = create_model("PartialTask", __base__=Model, **_partial)


class AlgorithmChoice(Model):
    """An algorithm, its options, and task fields of its own."""

    name: str
    options: dict[str, Any] = {}
    task: PartialTask = Field(default_factory=PartialTask)

    @model_validator(mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return value if isinstance(value, AlgorithmChoice) else split_options(value, ("name", "task"))

    @model_serializer
    def _flat(self) -> dict[str, Any]:
        task = self.task.model_dump(mode="json", exclude_unset=True)
        return {"name": self.name, **self.options, **({"task": task} if task else {})}


_point: dict[str, Any] = {
    "workers": Positive,
    "link": LinkField,
    **_task_types,
    "server": Server,
    "algorithm": AlgorithmChoice,
    "compressor": Choice,
    "seed": Annotated[int, Ge(0)],
}
_AXES = tuple(_point)


def _axis_type(kind: Any) -> Any:
    return Annotated[tuple[kind, ...], BeforeValidator(_as_list), Field(strict=False), MinLen(1)]


_axes: dict[str, Any] = {name: (_axis_type(kind), None) for name, kind in _point.items()}
_optional: dict[str, Any] = {name: (kind, None) for name, kind in _point.items()}
Matrix: type[BaseModel] = create_model("Matrix", __base__=Model, **_axes)
Point: type[BaseModel] = create_model("Point", __base__=Model, **_optional)


class Scenario(Model):
    """What the user wrote."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    task: PartialTask
    matrix: Matrix
    exclude: list[Point] = []
    include: list[Point] = []
    server: Server = "sharded"
    block_bytes: BlockBytes = 25 * 2**20
    threads: Positive = Field(1, description="a rank")
    backend: Literal["gloo", "nccl"] = "gloo"
    device: Literal["cpu", "cuda"] = "cpu"
    timing: Literal["measured", "composed"] = "measured"
    baseline: str = "ddp"
    target_accuracy: Annotated[float, Gt(0), Le(1)] | None = None

    def cells(self) -> list[Cell]:
        """The matrix expanded, always in the same order, each cell once."""
        points = [*self._product(), *(self._extra(point) for point in self.include)]
        cells = (self._cell(point) for point in points if not self._excluded(point))
        return list({cell.id: cell for cell in cells}.values())

    def _axis(self, name: str) -> tuple[Any, ...]:
        values: tuple[Any, ...] | None = getattr(self.matrix, name)
        return values or ({"seed": 0, "server": self.server, "link": Link.parse("none")}.get(name),)

    def _product(self) -> Iterator[dict[str, Any]]:
        for values in itertools.product(*(self._axis(name) for name in _AXES)):
            yield dict(zip(_AXES, values, strict=True))

    def _extra(self, point: BaseModel) -> dict[str, Any]:
        return {**{name: self._axis(name)[0] for name in _AXES}, **_given(point)}

    def _excluded(self, point: dict[str, Any]) -> bool:
        return any(all(_matches(point[k], v) for k, v in _given(entry).items()) for entry in self.exclude)

    def _cell(self, point: dict[str, Any]) -> Cell:
        algorithm: AlgorithmChoice = point["algorithm"]
        cls = catalog.load("algorithm", algorithm.name)
        swept = {name: point[name] for name in _TASK_FIELDS if point[name] is not None}
        task = Task(**{**_given(self.task), **swept, **_given(algorithm.task)})
        resolved = {"dataset": _resolved("dataset", task.dataset), "model": _resolved("model", task.model)}
        return Cell(
            algorithm=_resolved("algorithm", algorithm),
            compressor=_resolved("compressor", point["compressor"]) if catalog.takes(cls, "compressor") else None,
            server=point["server"] if catalog.takes(cls, "server") else None,
            block_bytes=self.block_bytes,
            workers=point["workers"],
            link=point["link"],
            seed=point["seed"],
            task=task.model_copy(update=resolved),
            threads=self.threads,
            backend=self.backend,
            device=self.device,
            timing=self.timing,
        )


def _given(model: BaseModel) -> dict[str, Any]:
    return {name: getattr(model, name) for name in model.model_fields_set}


def _resolved(kind: catalog.Kind, choice: Choice | AlgorithmChoice) -> Choice:
    return Choice(name=choice.name, **catalog.resolve(kind, choice.name, choice.options))


def _matches(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, Choice | AlgorithmChoice):
        same_name = value is not None and value.name == wanted.name
        return same_name and all(value.options.get(k) == v for k, v in wanted.options.items())
    return bool(value == wanted)


def load_scenario(path: Path, assignments: Iterable[str] = ()) -> Scenario:
    """Read, override and check a scenario file; ScenarioError with the place of the first mistake."""
    document = load(path)
    for assignment in assignments:
        document = override(document, assignment)
    return check(document)


def check(document: Document) -> Scenario:
    """The scenario in a document, every name, option and combination checked."""
    try:
        scenario = Scenario.model_validate(document.data)
    except ValidationError as error:
        raise _structure_error(document, error) from None
    for path, kind, choice in _choices(scenario):
        try:
            catalog.resolve(kind, choice.name, choice.options)
        except catalog.OptionError as error:
            at = (*path, error.option) if error.option else path
            raise document.error(at, str(error), at_key=error.option != "name") from None
    _check_combinations(document, scenario)
    return scenario


def _structure_error(document: Document, error: ValidationError) -> ScenarioError:
    first = error.errors()[0]
    path: Key = ()
    for part in first["loc"]:
        # pydantic also names the members of a union here; only what stands in the document is a place.
        path = (*path, part) if (*path, part) in document.places or part is first["loc"][-1] else path
    if first["type"] == "missing":
        return document.error(path, catalog.describe(first))
    while path and path not in document.places:
        path = path[:-1]
    if first["type"] != "extra_forbidden":
        return document.error(path, catalog.describe(first))
    valid = _valid_keys(path[:-1])
    return document.error(path, f"there is no key {path[-1]!r} here ({nearest(path[-1], valid)})", at_key=True)


def _valid_keys(path: Key) -> Iterable[str]:
    if not path:
        return Scenario.model_fields
    if path[-1] == "task":
        return _TASK_FIELDS
    return Milestones.model_fields if "schedule" in path else _AXES


def _choices(scenario: Scenario) -> Iterator[tuple[Key, catalog.Kind, Choice | AlgorithmChoice]]:
    yield from _task_choices(("task",), scenario.task)
    for name in _AXES:
        for index, value in enumerate(getattr(scenario.matrix, name) or ()):
            yield from _point_choices(("matrix", name, index), name, value)
    for section in ("exclude", "include"):
        for index, point in enumerate(getattr(scenario, section)):
            for name, value in _given(point).items():
                yield from _point_choices((section, index, name), name, value)


def _point_choices(path: Key, name: str, value: Any) -> Iterator[tuple[Key, catalog.Kind, Any]]:
    kinds: dict[str, catalog.Kind] = {kind: kind for kind in get_args(catalog.Kind)}
    if name in kinds and value is not None:
        yield path, kinds[name], value
    if isinstance(value, AlgorithmChoice):
        yield from _task_choices((*path, "task"), value.task)


def _task_choices(path: Key, task: BaseModel) -> Iterator[tuple[Key, catalog.Kind, Choice]]:
    for name, value in _given(task).items():
        yield from _point_choices((*path, name), name, value)


def _check_combinations(document: Document, scenario: Scenario) -> None:
    axes, given = _given(scenario.matrix), {*_given(scenario.task), *_given(scenario.matrix)}
    for name in ("algorithm", "workers"):
        if name not in axes:
            raise document.error(("matrix", name), "the key is missing; add it", at_key=True)
    missing = [n for n, field in Task.model_fields.items() if field.is_required() and n not in given]
    if missing:
        raise document.error(("task", missing[0]), "the key is missing; add it under task or matrix")
    names = [algorithm.name for algorithm in axes["algorithm"]]
    compressing = [name for name in names if catalog.takes(catalog.load("algorithm", name), "compressor")]
    if compressing and "compressor" not in axes:
        message = f"{compressing[0]} needs a compressor; add compressor: [sign] to the matrix"
        raise document.error(("matrix", "compressor"), message)
    if "baseline" in scenario.model_fields_set and scenario.baseline not in names:
        message = f"{scenario.baseline!r} is not an algorithm of the matrix ({nearest(scenario.baseline, names)})"
        raise document.error(("baseline",), message)
    if scenario.backend == "nccl" and scenario.device == "cpu":
        raise document.error(("backend",), "nccl moves GPU memory only; use backend: gloo with device: cpu")
    if scenario.device != "cpu":
        raise document.error(("device",), "this version trains on the CPU only; use device: cpu")
    if scenario.timing != "measured":
        raise document.error(("timing",), "this version measures every cell; use timing: measured")
    _check_samples(document, scenario)


def _check_samples(document: Document, scenario: Scenario) -> None:
    cells = scenario.cells()
    if not cells:
        raise document.error(("exclude",), "every cell is excluded; remove an entry")
    for cell in cells:
        dataset = catalog.load("dataset", cell.task.dataset.name)(**cell.task.dataset.options)
        needed = cell.workers * cell.task.batch_size
        if needed > dataset.num_train_samples:
            available = f"{cell.task.dataset.name} has {dataset.num_train_samples} to train on"
            message = (
                f"{cell.workers} workers × batch {cell.task.batch_size} = {needed} samples a step, and {available}"
            )
            raise document.error(("task", "batch_size"), f"{message}; lower batch_size or workers")
