"""The fields in which the rows of a comparison differ."""

from collections.abc import Mapping, Sequence
from typing import Any


def varying_fields(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the fields that differ between rows, in the order of their first occurrence.

    A field differs if two rows have different values other than None, or if one row has None and another row of the
    same algorithm has a value. A row that lacks the field, such as an option of another schedule, counts only against
    rows from which nothing else tells it.

    Args:
        rows: The fields of each row, by name.
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
    known = [value for row in rows if (value := row[name]) is not None]
    differs = len(_texts(known)) > 1
    if differs or len(known) == len(rows):
        return differs
    with_value = {row["algorithm"] for row in rows if row[name] is not None}
    without = {row["algorithm"] for row in rows if row[name] is None}
    return not with_value.isdisjoint(without)


def _texts(values: Sequence[Any]) -> set[str]:
    try:
        return {repr(value) for _, value in {(type(value), value) for value in values}}
    except TypeError:  # a list or a mapping is among them
        return set(map(repr, values))
