"""What compared cells are called."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from liecbench.config.cell import Cell
from liecbench.config.cell_fields import flat_fields

_NONE = "none"


def names(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """From flat fields a short name for each: method, workers, and what tells it from others of its method."""
    every = [{name: text(value) for name, value in fields.items()} for fields in cells]
    known = [name for name in dict.fromkeys(n for fields in every for n in fields) if name != "workers"]
    values: dict[tuple[str, str], set[str]] = {}
    for fields in every:
        for name in known:
            values.setdefault((_method(fields), name), set()).add(fields.get(name, _NONE))
    varying = {name for (_, name), seen in values.items() if len(seen) > 1}
    return [_name(fields, [name for name in known if name in varying]) for fields in every]


def pair_names(a: Sequence[Cell], b: Sequence[Cell]) -> list[str]:
    """A name for each pair: A's, and what is another of B's, as 'field A's → B's'."""
    ours, theirs = ([{**flat_fields(cell.spec()), "seed": None} for cell in cells] for cells in (a, b))
    return [
        " · ".join([name, *_differences(mine, other)])
        for name, mine, other in zip(names(ours), ours, theirs, strict=True)
    ]


def _differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    sides = [(name, text(a.get(name)), text(b.get(name))) for name in dict.fromkeys([*a, *b])]
    return [f"{_spaced(name)} {before} → {now}" for name, before, now in sides if before != now]


def _method(fields: Mapping[str, str]) -> str:
    return " ".join(fields[name] for name in ("algorithm", "compressor") if fields[name] != _NONE)


def _name(fields: Mapping[str, str], shown: Sequence[str]) -> str:
    more = [f"{_spaced(name)} {fields[name]}" for name in shown if fields.get(name, _NONE) != _NONE]
    return " · ".join([_method(fields), f"{fields['workers']} workers", *more])


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def text(value: object) -> str:
    """A field's value; ``none`` for None."""
    if value is None:
        return _NONE
    return value if isinstance(value, str) else json.dumps(value)
