"""Check the names and options of a scenario's algorithms, compressors, datasets, models and optimizers."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, get_args

from liecbench.config import registry
from liecbench.config.axes import AXES, TASK_FIELDS
from liecbench.config.choice import split_options
from liecbench.config.misplaced_field import misplaced_field
from liecbench.config.mistakes import Mistake
from liecbench.config.scenario import MATRIX
from liecbench.config.yaml_source import Document, Key


def check_choices(document: Document) -> Iterator[Mistake]:
    """Yield the mistakes in all names and options of a scenario.

    Other mistakes of the scenario are skipped. So are choices that are neither a name nor a mapping with a name, and
    choices under a key that is not valid in its place.
    """
    yield from _check_fields(("task",), document.data.get("task"), TASK_FIELDS)
    yield from _check_axes(MATRIX, document.data.get("matrix"))
    for section in ("exclude", "include"):
        entries = document.data.get(section)
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            if section == "include":
                yield from _check_axes((section, index), entry)
            else:
                yield from _check_fields((section, index), entry, AXES)


def _check_axes(path: Key, axes: object) -> Iterator[Mistake]:
    for name, values in axes.items() if isinstance(axes, dict) else ():
        if name not in AXES:
            continue
        for index, value in enumerate(values if isinstance(values, list) else [values]):
            yield from _check_field((*path, name, index), name, value)


def _check_fields(path: Key, fields: object, known: Collection[str]) -> Iterator[Mistake]:
    for name, value in fields.items() if isinstance(fields, dict) else ():
        if name in known:
            yield from _check_field((*path, name), name, value)


def _check_field(path: Key, field: str, value: object) -> Iterator[Mistake]:
    kinds: dict[str, registry.Kind] = {kind: kind for kind in get_args(registry.Kind)}
    if field not in kinds:
        return
    try:
        choice: Any = split_options(value, ("name", "task") if field == "algorithm" else ("name",))
    except ValueError:
        return  # neither a name nor a mapping with a name
    if isinstance(choice["name"], str):
        yield from check_choice(path, kinds[field], choice["name"], choice.get("options", {}), choice.get("task"))
    yield from _check_fields((*path, "task"), choice.get("task"), TASK_FIELDS)


def check_choice(
    path: Key, kind: registry.Kind, name: str, options: Mapping[str, Any], task: object = None
) -> Iterator[Mistake]:
    """Yield the mistakes in the name and the options of one choice.

    Args:
        path: The choice's path in the document.
        kind: The kind of the class that the choice names.
        name: The name.
        options: The options, by name.
        task: The task section of the choice, if it is an algorithm that has one.
    """
    try:
        registry.resolve(kind, name, options)
    except registry.OptionError as first:
        for error in (first, *first.further):
            at = (*path, error.option) if error.option else path
            message = misplaced_field(kind, name, options, error.option, has_task=bool(task)) or str(error)
            yield Mistake(at, message, at_key=error.option not in (None, "name"))
