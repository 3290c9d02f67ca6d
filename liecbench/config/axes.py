"""Pydantic models of a scenario's ``matrix``, and of its sections ``task``, ``include`` and ``exclude``."""

from typing import Annotated, Any, Final, Union, get_type_hints

from annotated_types import MinLen
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model, model_serializer, model_validator

from liecbench.config.cell import Seed, Server, Workers
from liecbench.config.choice import CompressorChoice, Model, split_options
from liecbench.config.compute_choice import ProfilePath
from liecbench.config.installed_choices import Installed
from liecbench.config.task import Task
from liecbench.network.link_map import LinkMap

TASK_FIELDS = tuple(Task.model_fields)
_REQUIRED_AXES: Final = ("algorithm", "workers")


def _drop_defaults(schema: dict[str, Any]) -> None:
    """Remove the defaults from a model's JSON Schema: they are all None, and only serve to make the fields optional."""
    for field in schema["properties"].values():
        field.pop("default", None)


class _Partial(Model):
    model_config = ConfigDict(json_schema_extra=_drop_defaults)


# Every field is optional, because a scenario may give some task fields in ``task``, some in ``matrix``, and some for
# one algorithm only.
_task_types = {name: kind for name, kind in get_type_hints(Task, include_extras=True).items() if name in TASK_FIELDS}
_task_types["profile"] = ProfilePath  # a cell has the profile's hash instead
_partial: dict[str, Any] = {
    name: (kind, Field(None, description=Task.model_fields[name].description)) for name, kind in _task_types.items()
}
PartialTask: type[BaseModel] = create_model("PartialTask", __base__=_Partial, **_partial)


class AlgorithmChoice(Model):
    """The name and the options of an algorithm, and task fields that override the scenario's for this algorithm."""

    name: str
    options: dict[str, Any] = {}
    task: PartialTask = Field(
        default_factory=PartialTask, description="fields of the task that are different for this algorithm"
    )

    @model_validator(mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return value if isinstance(value, AlgorithmChoice) else split_options(value, ("name", "task"))

    @model_serializer
    def _flat(self) -> dict[str, Any]:
        task = self.task.model_dump(mode="json", exclude_unset=True)
        return {"name": self.name, **self.options, **({"task": task} if task else {})}


_types: dict[str, Any] = {
    "workers": Workers,
    "link": LinkMap,
    **_task_types,
    "server": Server,
    "algorithm": Annotated[AlgorithmChoice, Installed("algorithm")],
    "compressor": CompressorChoice,
    "seed": Seed,
}
_DESCRIPTIONS: Final = {
    "workers": "the number of workers",
    "link": "the link of each worker: a rate, a preset, a mapping, none (unshaped) or host (the machine's own network)",
    "server": "root: rank 0 is the server; sharded: every rank serves a shard",
    "algorithm": "the method: a name, or a name with options",
    "compressor": "the compressor: a name, or a name with options; methods that compress nothing ignore it",
    "seed": "the seed of data order, initial weights and random compressors",
}
# The names of the axes, in the order in which the matrix is expanded: from one cell to the next, the last axis changes
# first.
AXES = tuple(_types)


def _as_list(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


def _axis_type(kind: Any) -> Any:
    """Return the pydantic type of an axis in ``matrix``.

    The type accepts a value of type ``kind``, or a list of at least one such value. The validated value is a tuple.
    """
    written = Union[kind, Annotated[list[kind], MinLen(1)]]  # noqa: UP007 - kinds are known at run time only
    listed = BeforeValidator(_as_list, json_schema_input_type=written)
    return Annotated[tuple[kind, ...], Field(strict=False), MinLen(1), listed]


def _described(name: str, default: Any = None) -> Any:
    fields = Task.model_fields
    return Field(default, description=fields[name].description if name in fields else _DESCRIPTIONS[name])


_axes: dict[str, Any] = {name: (_axis_type(kind), _described(name)) for name, kind in _types.items()}
_required: dict[str, Any] = {name: (_axis_type(_types[name]), _described(name, ...)) for name in _REQUIRED_AXES}
_optional: dict[str, Any] = {name: (kind, _described(name)) for name, kind in _types.items()}
Matrix: type[BaseModel] = create_model("Matrix", __base__=_Partial, **{**_axes, **_required})
PartialCell: type[BaseModel] = create_model("PartialCell", __base__=_Partial, **_optional)
IncludedCells: type[BaseModel] = create_model("IncludedCells", __base__=_Partial, **_axes)
