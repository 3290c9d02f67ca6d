"""The comparison as a Markdown table."""

import html
import re
from collections.abc import Sequence

from liecbench.report.columns import HEADINGS, Layout, field_text, metric_text, state_text, warning_lines
from liecbench.results.comparison import Row


def render(rows: Sequence[Row], layout: Layout, answer: Sequence[str] = ()) -> str:
    """A table, numbers to the right, and below it what all rows share, the answer, and what failed."""
    head = [
        *(name.replace("_", " ") for name in layout.fields),
        *(HEADINGS[name] for name in layout.metrics),
        "state",
    ]
    rule = ["---"] * len(layout.fields) + ["---:"] * len(layout.metrics) + ["---"]
    lines = [head, rule]
    for row in rows:
        fields = [field_text(row, name, layout) for name in layout.fields]
        lines.append([*fields, *(metric_text(n, row.metrics[n]) for n in layout.metrics), state_text(row)])
    if not any(state_text(row) for row in rows):
        lines = [line[:-1] for line in lines]
    table = "\n".join("| " + " | ".join(map(_escaped, line)) + " |" for line in lines)
    errors = [f"{row.fields['algorithm']}: {error}".partition("\n")[0] for row in rows for error in row.errors]
    caption = [re.sub(r"^\*", r"\\*", _escaped(line)) for line in layout.caption.split("\n")]
    items = (f"- {_escaped(line)}" for line in [*answer, *dict.fromkeys(errors), *warning_lines(rows)])
    return "\n".join([table, "", *caption, "", *items]).rstrip("\n") + "\n"


def _escaped(text: str) -> str:
    """Names and errors as text: no table, link or tag comes of them."""
    return re.sub(r"([\\|\[\]`])", r"\\\1", html.escape(" ".join(text.split()), quote=False))
