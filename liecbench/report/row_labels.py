"""How rows are called where there is no table: a method by what tells methods apart, a setting by the rest."""

import json
from collections.abc import Sequence

from liecbench.results.comparison import Row, varying_fields

# What belongs to a method rather than to the circumstances that it is measured in.
_CIRCUMSTANCES = frozenset(
    {"workers", "link", "threads", "backend", "device", "enforcement", "dataset", "model", "batch_size", "partition"}
    | {"precision", "results"}
)


class Labels:
    """The names of these rows' methods and settings, as short as tells them apart."""

    def __init__(self, rows: Sequence[Row]) -> None:
        varying = [name for name in varying_fields(rows) if name not in ("algorithm", "timing")]
        around = _CIRCUMSTANCES | {option for row in rows for option in _workload_options(row)}
        self._method = [name for name in varying if name not in around]
        self._setting = [name for name in varying if name in around]
        self._timed_differently = len({_timing(row) for row in rows}) > 1
        self._variants: dict[str, dict[str, int]] = {}
        for row in rows:
            known = self._variants.setdefault(row.fields["algorithm"], {})
            known.setdefault(self.method(row), len(known))
        self._alone = len({self.method(row) for row in rows}) == 1 and bool(self._setting)

    def curve(self, row: Row, without: str = "") -> tuple[str, str | None]:
        """A curve's name, and its setting; of one method in several settings those are compared, all in one figure."""
        return (self.whole(row, without), None) if self._alone else (self.method(row), self.setting(row, without))

    def colour(self, row: Row) -> str:
        """What decides the colour of a row's curves."""
        return self.whole(row) if self._alone else str(row.fields["algorithm"])

    def method(self, row: Row) -> str:
        """The algorithm, and of what varies among methods what this one has."""
        parts = [text(row.fields[name], name) for name in self._method if row.fields.get(name) is not None]
        return " ".join([row.fields["algorithm"], *parts])

    def variant(self, row: Row) -> int:
        """Which of the methods with its algorithm this is, from 0."""
        return self._variants[row.fields["algorithm"]][self.method(row)]

    def setting(self, row: Row, without: str = "") -> str:
        """Link, workers and whatever else varies around the methods."""
        parts = [
            text(row.fields[name], name)
            for name in self._setting
            if name != without and row.fields.get(name) is not None
        ]
        return " · ".join([*parts, f"timing {_timing(row)}"] if self._timed_differently else parts)

    def whole(self, row: Row, without: str = "") -> str:
        """Method and setting in one, but for one field."""
        return " · ".join(part for part in (self.method(row), self.setting(row, without)) if part)


def colour_keys(rows: Sequence[Row], labels: Labels) -> list[str]:
    """Everything that a figure of these rows has a colour for."""
    return [*(row.fields["algorithm"] for row in rows), *map(labels.colour, rows)]


def provenance(rows: Sequence[Row]) -> str:
    """What must stand wherever times of these rows do: that they are composed or estimated, all or some of them."""
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
    """The options of the dataset and the model, as a row's fields are called."""
    task = row.members[0].spec["task"]
    options = {(kind, option) for kind in ("dataset", "model") for option in task[kind] if option != "name"}
    return {own if (own := f"{kind}_{option}") in row.fields else option for kind, option in options}


def _timing(row: Row) -> str:
    """As asked for: what is composed on some links was trained on another."""
    return str(row.members[0].spec["timing"])


def text(value: object, name: str) -> str:
    """A field's value as it is read without a heading."""
    if isinstance(value, dict | list):
        value = json.dumps(value)
    return str(value) if isinstance(value, str) else f"{name.replace('_', ' ')} {value}"
