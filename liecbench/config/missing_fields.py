"""Check that every cell has the fields that a task must have, such as the batch size."""

from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from typing import Any, Final

from liecbench.compressors.wrong_values import MISSING_KEY
from liecbench.config import user_functions
from liecbench.config.axes import AXES, TASK_FIELDS
from liecbench.config.mistakes import Mistake
from liecbench.config.scenario import Scenario
from liecbench.config.task import Task
from liecbench.config.yaml_source import Document
from liecbench.errors import nearest

_REQUIRED: Final = tuple(name for name, field in Task.model_fields.items() if field.is_required())
# The values of each field that a combination of the matrix can have.
_Fields = Mapping[str, list[Any]]


def check_missing_fields(document: Document) -> Iterator[Mistake]:
    """Yield a mistake for each field of the task that an algorithm of the matrix or of ``include`` lacks.

    A field is not missing if an unknown key may be meant for it. If ``task`` or ``matrix`` is no mapping, yield
    nothing.
    """
    data = document.data
    if not isinstance(data.get("task"), dict) or not isinstance(data.get("matrix"), dict):
        return
    combinations = list(_combinations(data))
    for name in _REQUIRED:
        if any(_lacks(name, fields) for fields in combinations) and not _is_misspelt(name, data):
            yield Mistake(("task", name), f"{MISSING_KEY} under task or matrix")


def _lacks(name: str, fields: _Fields) -> bool:
    if name in fields or "profile" in fields:
        return False
    # A user's function may make a model with data of its own.
    return name != "dataset" or not all(map(_is_user_function, fields.get("model", [None])))


def _is_user_function(model: object) -> bool:
    name = model.get("name") if isinstance(model, dict) else model
    return isinstance(name, str) and user_functions.is_reference(name)


def _combinations(data: Mapping[str, Any]) -> Iterator[_Fields]:
    """Yield the fields that each algorithm of the matrix, and of each entry of ``include``, has in its cells."""
    task = {name: [value] for name, value in data["task"].items()}
    axes = _lists(data["matrix"])
    first = {name: values[:1] for name, values in axes.items()}
    for section in (axes, *({**first, **_lists(entry)} for entry in _mappings(data.get("include")))):
        for algorithm in section.get("algorithm", [None]):
            yield {**task, **section, **_own_task(algorithm)}


def _lists(section: Mapping[str, Any]) -> dict[str, list[Any]]:
    return {name: value if isinstance(value, list) else [value] for name, value in section.items()}


def _own_task(algorithm: object) -> dict[str, list[Any]]:
    task = algorithm.get("task") if isinstance(algorithm, dict) else None
    return {name: [value] for name, value in task.items()} if isinstance(task, dict) else {}


def _mappings(values: object) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _is_misspelt(name: str, data: Mapping[str, Any]) -> bool:
    """Return whether an unknown key may stand for the field ``name``, or the field is at the top level."""
    entries = _mappings(data.get("include"))
    algorithms = chain.from_iterable(_lists(section).get("algorithm", []) for section in (data["matrix"], *entries))
    sections: list[tuple[Mapping[str, Any], Collection[str]]] = [
        (data, Scenario.model_fields),
        (data["task"], TASK_FIELDS),
        (data["matrix"], AXES),
        *((_own_task(algorithm), TASK_FIELDS) for algorithm in algorithms),
        *((entry, AXES) for entry in entries),
    ]
    unknown = chain.from_iterable((key for key in keys if key not in known) for keys, known in sections)
    return any(nearest(key, [name]) for key in unknown)
