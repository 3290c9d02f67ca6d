"""One combination of the matrix: the value of every axis, and where in the scenario file each value is written."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from liecbench.config import user_functions
from liecbench.config.choice import Choice
from liecbench.config.yaml_source import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A value and its path in the scenario file, such as ``("matrix", "algorithm", 0)``."""

    value: Any
    path: Key


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixPoint:
    """One combination of the values of the matrix, or of an entry of ``include``: a value per axis.

    Attributes:
        section: The path, in the scenario file, of the matrix or the entry: ``("matrix",)`` or ``("include", index)``.
        fields: The values of the axes and of the task fields that the scenario file gives, by name, each with its path
            in the file. If several places give a task field, the first of these counts: the ``task`` section of the
            point's algorithm, then the matrix or the entry of ``include``, then the scenario's ``task`` section.
    """

    section: Key
    fields: Mapping[str, Placed]

    @classmethod
    def merge(cls, section: Key, task: Mapping[str, Placed], axes: Mapping[str, Placed]) -> "MatrixPoint":
        """Return the point whose fields are those of ``task``, of ``axes`` and of the algorithm's ``task`` section.

        A field in ``axes`` overrides the field in ``task``. A field in the algorithm's ``task`` section overrides both.
        If no dataset is given and the model is a user's function, the function is also the dataset.

        Args:
            section: The point's path in the scenario file: ``("matrix",)``, or ``("include", index)`` for an entry of
                ``include``.
            task: The fields of the scenario's ``task`` section, by name.
            axes: One value per axis, by the axis's name, such as ``algorithm``. A task field can also be an axis.
        """
        algorithm = axes["algorithm"]
        own = placed_fields(algorithm.value.task, (*algorithm.path, "task"))
        fields = {**task, **axes, **own}
        # If no dataset is given and the model is a user's function, the model brings its own data and is the dataset.
        model = fields.get("model")
        if model is not None and "dataset" not in fields and _is_user_function(model.value):
            fields["dataset"] = model
        return cls(section=section, fields=fields)

    def value(self, name: str) -> Any:
        """Return the value of the axis or task field ``name``, or None if there is no such field."""
        return self.fields[name].value if name in self.fields else None

    def path(self, name: str) -> Key:
        """Return the path of the field ``name`` in the scenario file.

        If the file lacks the field, return the path at which to add the field.
        """
        return self.fields[name].path if name in self.fields else (*self.section, name)


def given(model: BaseModel) -> dict[str, Any]:
    """Return the fields of ``model`` that the user wrote, in the order in which its class declares them."""
    fields = model.model_fields_set
    return {name: getattr(model, name) for name in type(model).model_fields if name in fields} if fields else {}


def placed_fields(model: BaseModel, path: Key) -> dict[str, Placed]:
    """Return the fields of ``model`` that the user wrote in the scenario file, by name.

    A field comes with its value and its path in the scenario file, such as ``("task", "epochs")``. ``path`` is the path
    of ``model`` in the scenario file, such as ``("task",)``.
    """
    return {name: Placed(value=value, path=(*path, name)) for name, value in given(model).items()}


def placed_axes(matrix: BaseModel, path: Key) -> dict[str, tuple[Placed, ...]]:
    """Return the values of all axes that the scenario file gives: one tuple per axis, by the axis's name.

    A value comes with its path in the scenario file, such as ``("matrix", "algorithm", 0)``. ``path`` is the path of
    ``matrix`` in the scenario file, such as ``("matrix",)``.
    """
    return {name: tuple(_placed_items(values, (*path, name))) for name, values in given(matrix).items()}


def _placed_items(values: tuple[Any, ...], path: Key) -> Iterator[Placed]:
    for index, value in enumerate(values):
        yield Placed(value=value, path=(*path, index))


def _is_user_function(model: object) -> bool:
    return isinstance(model, Choice) and user_functions.is_reference(model.name)
