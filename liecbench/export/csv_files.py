"""Two files for spreadsheets: ``rows.csv`` (as printed by ``compare --format csv``) and ``epochs.csv`` (all epochs)."""

import csv
import io
from pathlib import Path

from liecbench.report.csv_rows import render, spreadsheet_value
from liecbench.results.comparison import Comparison
from liecbench.results.epoch_rows import epoch_rows
from liecbench.untrusted import regular_files


def write(comparison: Comparison, directory: Path) -> str:
    """Write ``rows.csv`` and ``epochs.csv``, and return a command that shows the first lines of ``epochs.csv``."""
    regular_files.write_text(directory / "rows.csv", render(comparison))
    rows = epoch_rows(cell for row in comparison.rows for cell in row.cells)
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writerow({name: spreadsheet_value(name) for name in names})
    for row in rows:
        writer.writerow({name: spreadsheet_value(value) for name, value in row.items()})
    regular_files.write_text(directory / "epochs.csv", text.getvalue())
    return f"head {directory / 'epochs.csv'}"
