"""Compressors by the names that scenarios use."""

import dataclasses
import functools
from collections.abc import Mapping
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Any

from pydantic import ValidationError

from liecbench.compressors.base import Compressor
from liecbench.compressors.wrong_values import requirement


def as_compressor(given: Any) -> Any:
    """Return the compressor for a name such as ``sign`` or a mapping such as ``{name: top_k, ratio: 0.01}``.

    Return ``given`` unchanged if it is neither.

    Raises:
        ValueError: If no compressor has the name, or if the compressor does not take the options.
    """
    options = dict(given) if isinstance(given, Mapping) else {"name": given}
    name = options.pop("name", None)
    if not isinstance(name, str):
        return given
    entries = {entry.name: entry for entry in entry_points(group="liecbench.compressors")}
    if name not in entries:
        near = get_close_matches(name, entries, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(entries))}"
        raise ValueError(f"there is no compressor {name!r}; {hint}")
    cls = entries[name].load()
    fields = [field.name for field in dataclasses.fields(cls)]
    if unknown := [option for option in options if option not in fields]:
        raise ValueError(f"compressor {name} has no option {unknown[0]!r}; it has {', '.join(fields) or 'none'}")
    try:
        made: Compressor = cls(**options)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"compressor {name}: {' '.join(map(str, first['loc']))}: {requirement(first)}") from None
    return made


def description(compressor: Compressor) -> dict[str, Any]:
    """Return the name and the options of a compressor, as a profile (measured times of a device) records them.

    Options that change only the random numbers are left out. If no package registers the compressor, the name is that
    of the class.
    """
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(compressor):  # type: ignore[arg-type]
        value = getattr(compressor, field.name)
        if isinstance(value, Compressor):
            fields[field.name] = description(value)
        elif field.name != "seed" and isinstance(value, bool | int | float | str):
            fields[field.name] = value
    return {"name": _names().get(type(compressor), type(compressor).__name__), **fields}


@functools.cache
def _names() -> dict[type, str]:
    return {entry.load(): entry.name for entry in entry_points(group="liecbench.compressors")}
