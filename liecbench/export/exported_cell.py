"""A cell as a run of an experiment tracker: its name, its fields, its numbers per epoch and its final metrics."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from liecbench.results.cells import CellResult
from liecbench.results.comparison import Comparison
from liecbench.results.epoch_rows import epoch_fields, epoch_rows
from liecbench.untrusted.plain_text import one_line

_LONGEST_TEXT = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedCell:
    """A cell as trackers show it.

    Attributes:
        id: The cell's id.
        name: The method, the setting and the seed.
        status: ``completed``, ``failed``, ``diverged`` or ``unfinished``.
        fields: The cell's fields and its error; texts are short, on one line and without control characters.
        epochs: The known figures of each epoch, by the epoch's number (from 1) and by name, as in ``epoch_rows``.
        metrics: The metrics of the completed cell, such as its speed-up, by name.
    """

    id: str
    name: str
    status: str
    fields: Mapping[str, bool | int | float | str]
    epochs: Mapping[int, Mapping[str, float]]
    metrics: Mapping[str, float]

    @property
    def file_name(self) -> str:
        """A file name for the cell, which is unique because it ends with the cell's id.

        The beginning is ``name``, cut to 100 characters. ``-`` replaces characters that a file system may refuse.
        """
        return f"{re.sub(r'[^A-Za-z0-9.=_-]+', '-', self.name).strip('-.')[:100]}-{_key(self.id)}"


def exported_cells(comparison: Comparison) -> list[ExportedCell]:
    """Return all cells of a comparison, in the order of its rows."""
    labels = comparison.labels
    return [
        _exported(cell, [labels.method(row), labels.setting(row)], row.per_seed)
        for row in comparison.rows
        for cell in row.cells
    ]


def _exported(cell: CellResult, labels: list[str], per_seed: Mapping[int, Mapping[str, float]]) -> ExportedCell:
    fields = {**epoch_fields(cell), "error": cell.error}
    name = ", ".join([*filter(None, labels), f"seed {cell.spec['seed']}"])
    rows = epoch_rows([cell])
    metrics = per_seed.get(cell.spec["seed"], {}) if cell.status == "completed" else {}
    return ExportedCell(
        id=cell.id,
        name=_text(name),
        status=cell.status,
        fields={_key(key): _plain(value) for key, value in fields.items() if value is not None},
        epochs={row["epoch"]: _numbers(row, without=fields) for row in rows},
        metrics={_key(key): float(value) for key, value in metrics.items()},
    )


def _numbers(row: Mapping[str, Any], without: Mapping[str, Any]) -> dict[str, float]:
    return {
        _key(name): float(value)
        for name, value in row.items()
        if name not in without and name != "epoch" and isinstance(value, int | float)
    }


def _plain(value: object) -> bool | int | float | str:
    return value if isinstance(value, bool | int | float) else _text(str(value))


def _text(value: str) -> str:
    return one_line(value)[:_LONGEST_TEXT]


def _key(name: str) -> str:
    """Return ``name`` with ``_`` in place of each character that a tracker may refuse, cut to 250 characters."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:_LONGEST_TEXT]
