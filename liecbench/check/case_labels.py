"""Names of the cells that a check compares. A cell is one configuration of a scenario's matrix with one seed."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from liecbench.config.cell import Cell
from liecbench.config.cell_fields import flat_fields
from liecbench.config.choice import naming_options

_NONE = "none"
_CHOICES = ("algorithm", "compressor")


def cell_labels(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a short name for each cell: its method, its number of workers, and the fields that tell cells apart.

    A field is part of the names if two cells with the same method have different values for it. An option that defines
    a variant of a method, such as ``per_tensor`` of ``psgd``, is part of the method's name.

    Args:
        cells: The fields of each cell by name, without nesting: an option of a method is a field, too.
    """
    fields_as_text = [{name: value_text(value) for name, value in fields.items()} for fields in cells]
    options = [_naming_options(fields) for fields in fields_as_text]
    methods = [_method(fields, own) for fields, own in zip(fields_as_text, options, strict=True)]
    in_methods = {"workers", *(name for own in options for name in own)}
    names = [name for name in dict.fromkeys(n for fields in fields_as_text for n in fields) if name not in in_methods]
    values: dict[tuple[str, str], set[str]] = {}
    for method, fields in zip(methods, fields_as_text, strict=True):
        for name in names:
            values.setdefault((method, name), set()).add(fields.get(name, _NONE))
    varying = {name for (_, name), seen in values.items() if len(seen) > 1}
    shown = [name for name in names if name in varying]
    return [_label(method, fields, shown) for method, fields in zip(methods, fields_as_text, strict=True)]


def pair_labels(a: Sequence[Cell], b: Sequence[Cell]) -> list[str]:
    """Return a name for each pair of cells: the name of A's cell, then each field that differs, as ``field old → new``.

    Args:
        a: Cells of side A; their seeds do not occur in the names.
        b: For each cell of ``a``, the cell of side B that it is compared with.
    """
    fields_a, fields_b = ([{**flat_fields(cell.spec()), "seed": None} for cell in cells] for cells in (a, b))
    return [
        " · ".join([label, *_differences(one, other)])
        for label, one, other in zip(cell_labels(fields_a), fields_a, fields_b, strict=True)
    ]


def _differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    values = [(name, value_text(a.get(name)), value_text(b.get(name))) for name in dict.fromkeys([*a, *b])]
    return [f"{_spaced(name)} {old} → {new}" for name, old, new in values if old != new]


def _method(fields: Mapping[str, str], options: Sequence[str]) -> str:
    names = [fields[name] for name in _CHOICES if fields[name] != _NONE]
    switched_on = "true"
    more = [name if fields[name] == switched_on else f"{_spaced(name)} {fields[name]}" for name in options]
    return " ".join([*names, *more])


def _naming_options(fields: Mapping[str, str]) -> list[str]:
    """Return the sorted names of those options in ``fields`` that are always shown in the method's name.

    An example is ``per_tensor`` of ``psgd``. ``fields`` are the fields of one cell: names and values as text.
    """
    found = {option for name in _CHOICES for option in naming_options({**fields, "name": fields[name]})}
    return sorted(found)


def _label(method: str, fields: Mapping[str, str], names: Sequence[str]) -> str:
    more = [f"{_spaced(name)} {fields[name]}" for name in names if fields.get(name, _NONE) != _NONE]
    return " · ".join([method, f"{fields['workers']} workers", *more])


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def value_text(value: object) -> str:
    """Return a field's value as text: a string as it is, None as ``none``, any other value as JSON."""
    if value is None:
        return _NONE
    if type(value) is int:
        return str(value)
    return value if isinstance(value, str) else json.dumps(value)
