"""Names of rows outside of a table: a method by the fields in which methods differ, a setting by the other fields."""

import json
from collections.abc import Sequence
from typing import Final

from liecbench.results.fields import varying_fields
from liecbench.results.rows import Row

# These fields belong to the setting in which a method is measured, the others to the method.
_SETTING_FIELDS: Final = frozenset(
    {"workers", "link", "threads", "backend", "device", "enforcement", "dataset", "model", "batch_size", "partition"}
    | {"precision", "results"}
)


class Labels:
    """The names of the methods and settings of these rows, as short as tells them apart."""

    def __init__(self, rows: Sequence[Row]) -> None:
        varying = [name for name in varying_fields([row.fields for row in rows]) if name not in ("algorithm", "timing")]
        setting_fields = _SETTING_FIELDS | {option for row in rows for option in _workload_options(row)}
        self._method_fields = [name for name in varying if name not in setting_fields]
        self._setting_fields = [name for name in varying if name in setting_fields]
        self._timing_varies = len({_timing(row) for row in rows}) > 1
        self._variants: dict[str, dict[str, int]] = {}
        for row in rows:
            known = self._variants.setdefault(row.algorithm, {})
            known.setdefault(self.method(row), len(known))
        self._one_method = len({self.method(row) for row in rows}) == 1 and bool(self._setting_fields)
        self.colour_keys = [*(row.algorithm for row in rows), *map(self.colour_key, rows)]

    def curve(self, row: Row, without: str = "") -> tuple[str, str | None]:
        """Return the name of a row's curve, and the setting with which it is shown.

        If there is only one method, its settings are curves of one figure, which is always shown.
        """
        return (self.whole(row, without), None) if self._one_method else (self.method(row), self.setting(row, without))

    def colour_key(self, row: Row) -> str:
        """Return the key of the colour of a row's curves."""
        return self.whole(row) if self._one_method else row.algorithm

    def method(self, row: Row) -> str:
        """Return the algorithm and the row's values of the fields in which methods differ."""
        parts = [
            field_label(row.fields[name], name) for name in self._method_fields if row.fields.get(name) is not None
        ]
        return " ".join([row.algorithm, *parts])

    def variant(self, row: Row) -> int:
        """Return the number of this method among those with the same algorithm, from 0."""
        return self._variants[row.algorithm][self.method(row)]

    def setting(self, row: Row, without: str = "") -> str:
        """Return link, workers and the other fields in which settings differ, except the field ``without``."""
        parts = _field_labels(row, [name for name in self._setting_fields if name != without])
        return " · ".join([*parts, f"timing {_timing(row)}"] if self._timing_varies else parts)

    def whole(self, row: Row, without: str = "") -> str:
        """Return method and setting together, except the field ``without``."""
        return " · ".join(part for part in (self.method(row), self.setting(row, without)) if part)


def provenance(rows: Sequence[Row]) -> str:
    """Return a suffix for times of these rows that says that all or some of them are composed or estimated."""
    kinds = [_kinds(row) for row in rows]
    found = dict.fromkeys(kind for words in kinds for kind in words)
    if not found:
        return ""
    return f" ({', '.join(found)}{'' if all(kinds) else ' in part'})"


def _kinds(row: Row) -> list[str]:
    paced = row.fields.get("enforcement") == "process" and row.fields["link"] not in ("none", "host")
    composed = row.fields["timing"] == "composed"
    return ["composed"] * composed + ["estimated"] * paced


def _workload_options(row: Row) -> set[str]:
    """Return the names of the row's fields that are options of the dataset or the model."""
    task = row.cells[0].spec["task"]
    options = {(kind, option) for kind in ("dataset", "model") for option in task[kind] if option != "name"}
    return {prefixed if (prefixed := f"{kind}_{option}") in row.fields else option for kind, option in options}


def _timing(row: Row) -> str:
    """Return the timing that the scenario asks for: of composed cells some are trained."""
    return str(row.cells[0].spec["timing"])


def _field_labels(row: Row, names: Sequence[str]) -> list[str]:
    """Return the labels of the fields that the row has."""
    return [field_label(row.fields[name], name) for name in names if row.fields.get(name) is not None]


def field_label(value: object, name: str) -> str:
    """Return a field's value, with the field's name unless the value is a word."""
    if isinstance(value, dict | list):
        value = json.dumps(value)
    return str(value) if isinstance(value, str) else f"{name.replace('_', ' ')} {value}"
