"""The lines of ``liecbench list``: registered names with their options and defaults."""

import dataclasses
import sys
from collections.abc import Iterator
from typing import Any

from pydantic.fields import FieldInfo

from liecbench.config import registry


def lines(kind: registry.Kind) -> Iterator[str]:
    """Yield one line per registered name of ``kind``: the name, its options with their defaults, and a summary."""
    names = registry.names(kind)
    options = {name: _options(kind, name) for name in names}
    name_width, option_width = max(map(len, names)), max(map(len, options.values()))
    for name in names:
        summary = registry.summary(registry.load(kind, name))
        yield f"{name:{name_width}}  {options[name]:{option_width}}  {summary}"


def objects(kind: registry.Kind) -> list[dict[str, Any]]:
    """Return one dict per registered name of ``kind``, with the keys ``name``, ``summary``, ``options``, ``required``.

    ``options`` holds the defaults by option name. ``required`` lists the names of the options without a default.
    """
    return [
        {
            "name": name,
            "summary": registry.summary(registry.load(kind, name)),
            "options": {key: _plain(_default(field)) for key, field in fields.items() if not field.is_required()},
            "required": [key for key, field in fields.items() if field.is_required()],
        }
        for name in registry.names(kind)
        for fields in [registry.options_model(kind, name).model_fields]
    ]


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def python_lines(kind: registry.Kind) -> Iterator[str]:
    """Yield, for each name of ``kind``, a line with the Python code that creates the named object.

    The line contains the name, a call of the class with all options and their defaults, and, as a comment, the import.
    """
    names = registry.names(kind)
    classes = {name: registry.load(kind, name) for name in names}
    calls = {name: f"{cls.__name__}({', '.join(_arguments(cls))})" for name, cls in classes.items()}
    name_width, call_width = max(map(len, names)), max(map(len, calls.values()))
    for name, cls in classes.items():
        package = cls.__module__.rpartition(".")[0]
        is_exported = cls.__name__ in getattr(sys.modules.get(package), "__all__", ())
        module = package if is_exported else cls.__module__
        yield f"{name:{name_width}}  {calls[name]:{call_width}}  # from {module} import {cls.__name__}"


def _arguments(cls: type) -> Iterator[str]:
    for field in dataclasses.fields(cls):
        if not field.init:
            continue
        if field.default is not dataclasses.MISSING:
            yield f"{field.name}={field.default!r}"
        elif field.default_factory is not dataclasses.MISSING:
            yield f"{field.name}={field.default_factory()!r}"
        else:
            yield f"{field.name}={'Sign()' if field.name == 'compressor' else '…'}"


def _options(kind: registry.Kind, name: str) -> str:
    fields = registry.options_model(kind, name).model_fields.items()
    return ", ".join(name if field.is_required() else f"{name}={_default(field)}" for name, field in fields) or "-"


def _default(field: FieldInfo) -> object:
    return field.get_default(call_default_factory=True)
