"""The command ``liecbench export``: write results for TensorBoard, Weights & Biases, MLflow or a spreadsheet."""

from pathlib import Path
from typing import Annotated

import typer

from liecbench.cli.compare import BaselineName, ResultsPaths, load_for_command
from liecbench.cli.garbage import without_collections
from liecbench.console.console import name_full_disk, say
from liecbench.export.target import Target


@without_collections()
def export(
    results: ResultsPaths,
    to: Annotated[Target, typer.Option("--to", help="The tool to write for.", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="DIR", help="A new directory.", show_default="exports/TOOL"),
    ] = None,
    baseline: BaselineName = None,
) -> None:
    """Write results for TensorBoard, Weights & Biases (offline), MLflow or a spreadsheet: one run per cell."""
    directory = out or Path("exports") / to
    comparison = load_for_command(results, baseline=baseline)
    with name_full_disk(directory):
        command = to.write(comparison, directory)
    say(f"wrote {sum(len(row.cells) for row in comparison.rows)} runs to {directory}; next: {command}", quiet=False)
