"""One combination of the matrix: the value of every axis, and where in the scenario file each value is written."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from liecbench.config import user_functions
from liecbench.config.cell import Choice
from liecbench.config.yaml_source import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A value and its path in the scenario file."""

    value: Any
    path: Key


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixPoint:
    """One combination of the matrix, or one entry of ``include``.

    Attributes:
        section: The path of the matrix, or of the entry of ``include``.
        fields: By name, the axes and the task fields; a task field is taken from the algorithm's own task, else from
            the axes, else from the task section.
    """

    section: Key
    fields: Mapping[str, Placed]

    @classmethod
    def merge(cls, section: Key, task: Mapping[str, Placed], axes: Mapping[str, Placed]) -> "MatrixPoint":
        """Combine the task section, the values of the axes, and the task of the algorithm among them."""
        algorithm = axes["algorithm"]
        own = placed_fields(algorithm.value.task, (*algorithm.path, "task"))
        fields = {**task, **axes, **own}
        # A model that brings its own data stands for the dataset where none is given.
        model = fields.get("model")
        if model is not None and "dataset" not in fields and _is_user_function(model.value):
            fields["dataset"] = model
        return cls(section=section, fields=fields)

    def value(self, name: str) -> Any:
        """Return the value of an axis or a task field, or None if nothing gives one."""
        return self.fields[name].value if name in self.fields else None

    def path(self, name: str) -> Key:
        """Return where a value is written; of an absent one, where it could be."""
        return self.fields[name].path if name in self.fields else (*self.section, name)


def given(model: BaseModel) -> dict[str, Any]:
    """Return the fields that the user wrote, in the order of the model's."""
    fields = model.model_fields_set
    return {name: getattr(model, name) for name in type(model).model_fields if name in fields} if fields else {}


def placed_fields(model: BaseModel, path: Key) -> dict[str, Placed]:
    """Return the fields that the user wrote under ``path``, each with its own path."""
    return {name: Placed(value=value, path=(*path, name)) for name, value in given(model).items()}


def placed_axes(matrix: BaseModel, path: Key) -> dict[str, tuple[Placed, ...]]:
    """Return the axes that the user wrote under ``path``, every value with its own path."""
    return {name: tuple(_placed_items(values, (*path, name))) for name, values in given(matrix).items()}


def _placed_items(values: tuple[Any, ...], path: Key) -> Iterator[Placed]:
    for index, value in enumerate(values):
        yield Placed(value=value, path=(*path, index))


def _is_user_function(model: object) -> bool:
    return isinstance(model, Choice) and user_functions.is_reference(model.name)
