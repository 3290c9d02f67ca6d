"""The cells that entries of ``exclude`` leave out of a scenario's matrix."""

from typing import Any

from pydantic import BaseModel

from liecbench.config.axes import TASK_FIELDS, AlgorithmChoice
from liecbench.config.cell import Cell
from liecbench.config.choice import Choice
from liecbench.config.matrix_point import given
from liecbench.config.optimizer_fields import optimizer_fields
from liecbench.profiles.profile_store import ProfileFile


def matches(cell: Cell, entry: BaseModel) -> bool:
    """Return whether a cell has every value that an entry of ``exclude`` gives."""
    fields = given(entry)
    if isinstance(algorithm := fields.get("algorithm"), AlgorithmChoice):
        fields = {**fields, **given(algorithm.task)}
    if isinstance(optimizer := fields.get("optimizer"), Choice):
        fields = {**fields, **optimizer_fields(optimizer, fields)}
    return all(_has(getattr(cell.task if name in TASK_FIELDS else cell, name), v) for name, v in fields.items())


def _has(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, ProfileFile):
        return bool(value == wanted.sha256)
    if isinstance(wanted, Choice | AlgorithmChoice):
        same_name = value is not None and value.name == wanted.name
        return same_name and all(value.options.get(k) == v for k, v in wanted.options.items())
    return bool(value == wanted)
