"""The output of ``liecbench compare --format csv``."""

import csv
import io

from liecbench.report.json_rows import counts
from liecbench.results.comparison import Comparison
from liecbench.results.metrics import exported_metrics
from liecbench.results.statistics import Estimate
from liecbench.untrusted.plain_text import one_line

_FORMULA = ("=", "+", "-", "@")
# These columns come first, in this order; the other fields follow, sorted by name.
_FIRST = ("algorithm", "compressor", "workers", "link", "server", "dataset", "model", "batch_size", "learning_rate")


def render(comparison: Comparison) -> str:
    """Return CSV with one line per row of the comparison.

    Each metric has three columns: its mean, and the lower and the upper end of its interval.
    """
    rows = comparison.rows
    fields = [*_FIRST, *sorted({name for row in rows for name in row.fields} - set(_FIRST))]
    names = exported_metrics(cell for row in rows for cell in row.per_seed.values())
    bounds = [f"{name}{suffix}" for name in names for suffix in ("", "_low", "_high")]
    text = io.StringIO()
    headings = [*fields, "message_divisor", "cells", "failed", "unfinished", "reached", *bounds]
    writer = csv.DictWriter(text, headings, lineterminator="\n")
    writer.writerow({name: spreadsheet_value(name) for name in headings})
    for row in rows:
        values = {key: value for name in names for key, value in _bounds(name, row.metrics[name]).items()}
        writer.writerow(
            {
                name: spreadsheet_value(value)
                for name, value in {
                    **row.fields,
                    "dilation": row.dilation,
                    "message_divisor": row.message_divisor,
                    **counts(row),
                    **values,
                }.items()
            }
        )
    return text.getvalue()


def spreadsheet_value(value: object) -> object:
    """Return None, booleans and numbers unchanged, and all else as a text that no spreadsheet takes for a formula."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = one_line(str(value))
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _bounds(name: str, value: Estimate | None) -> dict[str, float | None]:
    if value is None:
        return {}
    return {name: value.mean, f"{name}_low": value.low, f"{name}_high": value.high}
