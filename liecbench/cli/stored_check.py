"""The commands on stored results: ``liecbench baseline`` and ``liecbench check results``."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liecbench.cli.check_options import CheckFormat, Github, JsonFile, JunitFile, OutputFormat
from liecbench.cli.check_reports import Reports
from liecbench.cli.garbage import without_collections
from liecbench.cli.output_file import OutputKind, done_text, require_replaceable
from liecbench.console.console import say

if TYPE_CHECKING:
    from liecbench.results.cells import CellResult

_TABLE = CheckFormat.TABLE
ResultsPath = Annotated[Path, typer.Argument(metavar="RESULTS", show_default=False)]


@without_collections()
def baseline(
    results: ResultsPath,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The file to write.")],
) -> None:
    """Write a baseline file, with which `liecbench check results` can compare later results."""
    from liecbench.check.stored.baseline import Baseline, left_out
    from liecbench.results.stored_cells import load

    require_replaceable(output, OutputKind.BASELINE)
    cells = load([results])
    rest, count = left_out(cells), len(cells)
    stored = Baseline.of(_released(cells))
    done = done_text(output)
    stored.write(output)
    for line in rest:
        say(f"left out: {line}", quiet=False)
    say(f"{done}: {len(stored.cells)} of {count} cells", quiet=False)


@without_collections()
def results(
    results: ResultsPath,
    baseline: Annotated[
        Path, typer.Option(metavar="FILE", help="The baseline that `liecbench baseline` wrote.", show_default=False)
    ],
    accuracy_margin: Annotated[
        float,
        typer.Option(metavar="POINTS", min=0.0, max=100.0, help="Loss of accuracy that is allowed, in points."),
    ] = 0.5,
    loss_margin: Annotated[
        float,
        typer.Option(metavar="NATS", min=0.0, max=100.0, help="Rise of a language model's test loss that is allowed."),
    ] = 0.02,
    require_all: Annotated[
        bool,
        typer.Option("--require-all", help="Be INCONCLUSIVE if a figure is not compared, instead of passing the rest."),
    ] = False,
    output: OutputFormat = _TABLE,
    json_file: JsonFile = None,
    junit: JunitFile = None,
    github: Github = False,
) -> None:
    """Compare results with a stored baseline.

    Payload bytes and messages must be equal to the baseline's. Wire bytes, accuracy, loss, and the communication time
    on a shaped link may get worse by a margin. The numbers of the first steps, the compression error and the residual
    norm may change by a margin, up or down. Training times are only shown.
    """
    reports = Reports(output, json_file, junit, github)
    from liecbench.check.stored.baseline import Baseline
    from liecbench.check.stored.gate import Margins, check_stored
    from liecbench.check.stored.present_code import present_code_results
    from liecbench.results.stored_cells import load

    stored = Baseline.read(baseline)
    margins = Margins(accuracy_points=accuracy_margin / 100, loss_nats=loss_margin)
    cells = load([results])
    outdated = present_code_results(cells)
    outcome = check_stored(_released(cells), stored, margins)
    settings = {**outcome.settings, "require_all": require_all}
    found = (*outcome.results, *outdated)
    reports.publish(dataclasses.replace(outcome, results=found, settings=settings, require_all=require_all))


def _released(cells: "list[CellResult]") -> "Iterator[CellResult]":
    """Yield and remove the cells of ``cells`` in order, so that the caller can free each cell before the next."""
    cells.reverse()
    while cells:
        yield cells.pop()
