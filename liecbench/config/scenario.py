"""The scenario as written, and the cells that its matrix expands to."""

import functools
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal, get_type_hints

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import BaseModel, BeforeValidator, Field, create_model, model_serializer, model_validator

from liecbench.config import registry, user_functions
from liecbench.config.cell import (
    BlockBytes,
    Cell,
    Choice,
    Enforcement,
    LinkField,
    Model,
    Seed,
    Server,
    Task,
    Threads,
    Workers,
    split_options,
)
from liecbench.config.yaml_source import Key
from liecbench.network.link import LinkMap

_BLOCK_BYTES = 25 * 2**20
TASK_FIELDS = tuple(Task.model_fields)


def _as_list(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


# Every field optional: a task may be spread over the task section, the matrix and an algorithm's own task.
_task_types = {name: kind for name, kind in get_type_hints(Task, include_extras=True).items() if name in TASK_FIELDS}
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
    "workers": Workers,
    "link": LinkField,
    **_task_types,
    "server": Server,
    "algorithm": AlgorithmChoice,
    "compressor": Choice,
    "seed": Seed,
}
AXES = tuple(_point)
Resolve = Callable[[registry.Kind, Choice | AlgorithmChoice], Choice]
MATRIX: Key = ("matrix",)


def _axis_type(kind: Any) -> Any:
    return Annotated[tuple[kind, ...], BeforeValidator(_as_list), Field(strict=False), MinLen(1)]


_axes: dict[str, Any] = {name: (_axis_type(kind), None) for name, kind in _point.items()}
_optional: dict[str, Any] = {name: (kind, None) for name, kind in _point.items()}
Matrix: type[BaseModel] = create_model("Matrix", __base__=Model, **_axes)
Point: type[BaseModel] = create_model("Point", __base__=Model, **_optional)


class Scenario(Model):
    """What the user wrote."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    task: PartialTask
    matrix: Matrix
    exclude: list[Point] = []
    include: list[Point] = []
    server: Server = "sharded"
    block_bytes: BlockBytes | None = Field(None, description="26214400 where the compressor prefers nothing else")
    threads: Threads = Field(1, description="a rank")
    backend: Literal["gloo", "nccl"] = "gloo"
    device: Literal["cpu", "cuda"] = "cpu"
    enforcement: Enforcement = Field("kernel", description="who holds the links: process where the kernel shapes none")
    timing: Literal["measured", "composed"] = Field(
        "measured", description="composed: trained at the fastest link alone, at the others only some steps are timed"
    )
    step_timeout: Annotated[float, Ge(2)] | None = Field(
        None,
        description="a cell fails after this many seconds without a step; default: 300 + 10 × its wire seconds",
    )
    baseline: str = "ddp"
    target_accuracy: Annotated[float, Gt(0), Le(1)] | None = None

    def cells(self) -> list[Cell]:
        """The matrix expanded, always in the same order, each cell once."""
        return list({cell.id: cell for _, _, cell in self.kept}.values())

    @functools.cached_property
    def kept(self) -> tuple[tuple[Key, dict[str, Any], Cell], ...]:
        """Every point that is not excluded, and its cell."""
        return tuple(
            (path, point, cell)
            for path, point, cell in self.product
            if path != MATRIX or not any(is_like(cell, entry) for entry in self.exclude)
        )

    @functools.cached_property
    def product(self) -> tuple[tuple[Key, dict[str, Any], Cell], ...]:
        """Every point, excluded or not, and its cell."""
        return tuple((path, point, self.cell(point)) for path, point in self.points())

    def points(self) -> Iterator[tuple[Key, dict[str, Any]]]:
        """Every combination of the matrix, then what is included: where it stands, and the values of the axes given."""
        axes = {"link": (LinkMap.parse("none"),), "server": (self.server,), "seed": (0,), **given(self.matrix)}
        names = [name for name in AXES if name in axes]
        for values in itertools.product(*(axes[name] for name in names)):
            yield MATRIX, dict(zip(names, values, strict=True))
        for index, extra in enumerate(self.include):
            yield ("include", index), {**{name: axes[name][0] for name in names}, **given(extra)}

    def as_written(self) -> dict[str, Cell]:
        """By its id each cell with no more options than were written: another version fills in its own defaults."""
        return {cell.id: self.cell(point, _unresolved) for _, point, cell in self.kept}

    def cell(self, point: dict[str, Any], resolved: Resolve | None = None) -> Cell:
        """The cell of one point; names and options are ``resolved``, defaults filled in unless told otherwise."""
        resolved = resolved or _resolved
        algorithm: AlgorithmChoice = point["algorithm"]
        cls = registry.load("algorithm", algorithm.name)
        swept = {name: point[name] for name in TASK_FIELDS if name in point}
        task = Task(**own_data({**given(self.task), **swept, **given(algorithm.task)}))
        compressor = point["compressor"] if registry.takes(cls, "compressor") else None
        model = resolved("model", task.model)
        dataset = model if task.dataset == task.model else resolved("dataset", task.dataset)
        return Cell(
            algorithm=resolved("algorithm", algorithm),
            compressor=None if compressor is None else resolved("compressor", compressor),
            server=point["server"] if registry.takes(cls, "server") else None,
            block_bytes=self.block_bytes or _preferred_block_bytes(compressor),
            workers=point["workers"],
            link=point["link"],
            seed=point["seed"],
            task=task.model_copy(update={"dataset": dataset, "model": model}),
            threads=self.threads,
            backend=self.backend,
            device=self.device,
            enforcement=self.enforcement,
            timing=self.timing,
        )


def own_data(fields: dict[str, Any]) -> dict[str, Any]:
    """Task fields where a function of the user's, named as the model, stands for the dataset where none is named."""
    model = fields.get("model")
    own = isinstance(model, Choice) and user_functions.is_reference(model.name) and "dataset" not in fields
    return {**fields, "dataset": model} if own else fields


def given(model: BaseModel) -> dict[str, Any]:
    """The fields that were written, in the order of the model's."""
    fields = model.model_fields_set
    return {name: getattr(model, name) for name in type(model).model_fields if name in fields} if fields else {}


def _resolved(kind: registry.Kind, choice: Choice | AlgorithmChoice) -> Choice:
    return _resolve(kind, choice.name, json.dumps(choice.options, default=str))


def _unresolved(_kind: registry.Kind, choice: Choice | AlgorithmChoice) -> Choice:
    return Choice(name=choice.name, **choice.options)


@functools.cache
def _resolve(kind: registry.Kind, name: str, options: str) -> Choice:
    return Choice(name=name, **registry.resolve(kind, name, json.loads(options)))


def _preferred_block_bytes(compressor: Choice | None) -> int:
    preferred = None if compressor is None else registry.load("compressor", compressor.name).preferred_block_bytes
    return _BLOCK_BYTES if preferred is None else preferred


def is_like(cell: Cell, entry: BaseModel) -> bool:
    """Whether a cell has everything that an entry of ``exclude`` gives."""
    fields = given(entry)
    if isinstance(algorithm := fields.get("algorithm"), AlgorithmChoice):
        fields = {**fields, **given(algorithm.task)}
    return all(_matches(getattr(cell.task if name in TASK_FIELDS else cell, name), v) for name, v in fields.items())


def _matches(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, Choice | AlgorithmChoice):
        same_name = value is not None and value.name == wanted.name
        return same_name and all(value.options.get(k) == v for k, v in wanted.options.items())
    return bool(value == wanted)
