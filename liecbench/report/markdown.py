"""The output of ``liecbench compare --format markdown``."""

import html
import re
from collections.abc import Iterable

from liecbench.report.table_texts import caption, field_heading, marked_field_text
from liecbench.results.bandwidth_needed import BandwidthTable
from liecbench.results.comparison import Comparison
from liecbench.untrusted.plain_text import one_line


def render(comparison: Comparison) -> str:
    """Return Markdown text: a table and, below the table, the shared fields, the verdict, errors and warnings.

    The table of the bandwidth that methods need comes last, if there is one.
    """
    lines = _lines(comparison)
    if not any(row.state for row in comparison.rows):
        lines = [line[:-1] for line in lines]
    table = _table(lines)
    below = [re.sub(r"^\*", r"\\*", _escaped(line)) for line in caption(comparison).split("\n")]
    lines_below = (*comparison.verdict, *comparison.speed_notes, *comparison.errors, *comparison.warnings)
    items = [f"- {_escaped(line)}" for line in lines_below]
    bandwidth = comparison.bandwidth_table()
    last = [] if bandwidth is None else ["", *_bandwidth(bandwidth)]
    return "\n".join([table, "", *below, "", *items, *last]).rstrip("\n") + "\n"


def _bandwidth(found: BandwidthTable) -> list[str]:
    alignment = ["---"] + ["---:"] * (len(found.headings) - 1)
    notes = [f"- {_escaped(note)}" for note in found.notes]
    return [f"{_escaped(found.title)}:", "", _table([found.headings, alignment, *found.lines]), "", *notes]


def _table(lines: Iterable[Iterable[str]]) -> str:
    return "\n".join("| " + " | ".join(map(_escaped, line)) + " |" for line in lines)


def _lines(comparison: Comparison) -> list[list[str]]:
    """Return the table's lines: headings, alignments, then one line per row. Each line is a list of texts.

    The last column is the row's state.
    """
    metrics = comparison.columns()
    headings = [*map(field_heading, comparison.fields), *(metric.heading for metric in metrics), "state"]
    alignment = ["---"] * len(comparison.fields) + ["---:"] * len(metrics) + ["---"]
    lines = [headings, alignment]
    for row in comparison.rows:
        fields = [marked_field_text(comparison, row, name) for name in comparison.fields]
        lines.append([*fields, *(metric.text(row.metrics[metric.name]) for metric in metrics), row.state])
    return lines


def _escaped(text: str) -> str:
    """Escape the characters that Markdown would read as a table, a link, code or a tag."""
    return re.sub(r"([\\|\[\]`])", r"\\\1", html.escape(one_line(text), quote=False))
