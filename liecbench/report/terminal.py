"""The comparison as a table on a terminal."""

from collections.abc import Sequence
from typing import Literal

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from liecbench.report.columns import (
    HEADINGS,
    Layout,
    best,
    field_text,
    metric_text,
    state_text,
    warning_lines,
)
from liecbench.results.comparison import Row

# What goes first where a terminal is too narrow for all of it.
_LEAST_IMPORTANT = (
    "gpu_utilisation",
    "joules_per_epoch",
    "wire_bytes_per_epoch",
    "payload_bytes_per_epoch",
    "exposed_seconds_per_epoch",
    "bytes_ratio",
)


def render(rows: Sequence[Row], layout: Layout, *, by: str, width: int, answer: Sequence[str] = ()) -> Group:
    """A table with the best value of each metric in bold, a line between groups; below it the answer and failures."""
    columns = _columns(rows, layout)
    hidden = _too_many(columns, width)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    shown = {name: texts for name, texts in columns.items() if name not in hidden}
    for name, texts in shown.items():
        justify: Literal["left", "right"] = "right" if name in layout.metrics else "left"
        table.add_column(texts[0], justify=justify, overflow="fold", no_wrap=name in layout.metrics)
    for index, (row, following) in enumerate(zip(rows, [*rows[1:], None], strict=True), start=1):
        ends_group = following is not None and following.fields.get(by) != row.fields.get(by)
        table.add_row(*(texts[index] for texts in shown.values()), end_section=ends_group and by != "algorithm")
    errors = [(row.fields["algorithm"], error.partition("\n")[0]) for row in rows for error in row.errors]
    notes = [Text(f"{algorithm}: {error}", style="red") for algorithm, error in errors]
    notes += [Text(note, style="yellow") for note in warning_lines(rows)]
    if hidden:
        notes.append(Text(f"not shown, for want of width: {', '.join(HEADINGS[name] for name in hidden)}", style="dim"))
    return Group(table, Text(layout.caption, style="dim"), *(Text(line, style="bold") for line in answer), *notes)


def _columns(rows: Sequence[Row], layout: Layout) -> dict[str, list[Text]]:
    """Every column by name, its heading first."""
    columns = {
        name: [Text(name.replace("_", " ")), *(Text(field_text(row, name, layout)) for row in rows)]
        for name in layout.fields
    }
    for name in layout.metrics:
        best_mean = best(rows, name)
        columns[name] = [Text(HEADINGS[name]), *(_metric(row, name, best_mean) for row in rows)]
    if any(state_text(row) for row in rows):
        columns["state"] = [Text("state"), *(Text(state_text(row), style="red") for row in rows)]
    return columns


def _too_many(columns: dict[str, list[Text]], width: int) -> list[str]:
    hidden: list[str] = []
    for name in (name for name in _LEAST_IMPORTANT if name in columns):
        shown = [texts for other, texts in columns.items() if other not in hidden]
        if sum(max(text.cell_len for text in texts) + 2 for texts in shown) - 2 <= width:
            break
        hidden.append(name)
    return hidden


def _metric(row: Row, name: str, best_mean: float | None) -> Text:
    value = row.metrics[name]
    return Text(metric_text(name, value), style="bold green" if value is not None and value.mean == best_mean else "")
