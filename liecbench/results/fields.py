"""The fields in which the rows of a comparison differ."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

# Algorithms that do not take these fields have the default: only two values of one algorithm are a difference.
_TAKEN_BY_SOME: Final = frozenset({"block_order"})


def varying_fields(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the fields that differ between rows, in the order of their first occurrence.

    A field differs in each of these cases:

    - Two rows of different algorithms have different values, neither is None, and the field is not ``block_order``.
    - Two rows of the same algorithm have different values, of which one may be None.
    - One of two rows of the same algorithm that are equal in all other fields lacks the field.

    Args:
        rows: For each row, the values of its fields by name.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    found = {name for name in names if _varies([row for row in rows if name in row], name)}
    alike: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        alike.setdefault(repr([row.get(name) for name in names if name in found or name == "algorithm"]), []).append(
            row
        )
    for group in alike.values():
        found |= {name for name in names if len(group) > 1 and len({repr(row.get(name)) for row in group}) > 1}
    return [name for name in names if name in found]


def _varies(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    if name in _TAKEN_BY_SOME:
        return any(_differs_for(rows, name, algorithm) for algorithm in {row["algorithm"] for row in rows})
    known = [value for row in rows if (value := row[name]) is not None]
    differs = len(_texts(known)) > 1
    if differs or len(known) == len(rows):
        return differs
    with_value = {row["algorithm"] for row in rows if row[name] is not None}
    without = {row["algorithm"] for row in rows if row[name] is None}
    return not with_value.isdisjoint(without)


def _differs_for(rows: Sequence[Mapping[str, Any]], name: str, algorithm: str) -> bool:
    return len({repr(row[name]) for row in rows if row["algorithm"] == algorithm}) > 1


def _texts(values: Sequence[Any]) -> set[str]:
    try:
        return {repr(value) for _, value in {(type(value), value) for value in values}}
    except TypeError:  # a list or a mapping is among them
        return set(map(repr, values))
