"""The commands `liecbench compare` and `liecbench report`."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liecbench.cli.console import console, readers_may_leave, say
from liecbench.errors import ExitCode

if TYPE_CHECKING:
    from liecbench.results.comparison import Row

_MORE_METRICS = ("accuracy_difference", "train_loss", "seconds_to_target", "bytes_to_target", "joules_to_target")


class Format(StrEnum):
    """How a comparison is printed."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"
    CSV = "csv"


ResultsPaths = Annotated[list[Path], typer.Argument(metavar="RESULTS...", show_default=False)]
BaselineName = Annotated[
    str | None, typer.Option(metavar="NAME", help="Algorithm to compare with.", show_default="the scenario's")
]
TunedField = Annotated[
    str | None, typer.Option(metavar="FIELD", help="Compare each method at its own best value of a tuned field.")
]


def compare(
    results: ResultsPaths,
    by: Annotated[str, typer.Option(metavar="FIELD", help="Group rows by this field.")] = "algorithm",
    metric: Annotated[list[str] | None, typer.Option(help="Show this metric; repeat for several.")] = None,
    baseline: BaselineName = None,
    best: TunedField = None,
    output: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.TABLE,
) -> None:
    """Compare the algorithms of one or more results directories."""
    from liecbench.results.directory import comparison_settings

    told = comparison_settings(results[0])
    rows = print_comparison(
        results,
        output,
        by=by,
        metrics=metric,
        baseline=baseline or told.baseline,
        baseline_required=baseline is not None,
        target=told.target_accuracy,
        best=best,
    )
    if not any(row.completed for row in rows):
        raise typer.Exit(ExitCode.NOTHING_TO_COMPARE)


def report(
    results: ResultsPaths,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The page to write.")] = Path(
        "report.html"
    ),
    figures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the figures as SVG and PDF, too.", show_default=False)
    ] = None,
    baseline: BaselineName = None,
    best: TunedField = None,
) -> None:
    """Write one HTML page that works without a network: verdict, comparison, figures, what was run."""
    from liecbench.report import html
    from liecbench.report.columns import DEFAULT_METRICS, lay_out
    from liecbench.report.figures import printed
    from liecbench.report.figures.choice import figures as drawn_of
    from liecbench.report.figures.colours import Palette
    from liecbench.report.row_labels import Labels, colour_keys
    from liecbench.results.directory import comparison_settings

    told = comparison_settings(results[0])
    name = baseline or told.baseline
    rows = _rows(results, baseline=name, target=told.target_accuracy, best=best, required=baseline is not None)
    layout = lay_out(rows, [*DEFAULT_METRICS, *_MORE_METRICS], baseline=name, by="algorithm")
    answer = _answer(rows, baseline=name, target=told.target_accuracy, best=best)
    output.write_text(html.render(rows, layout, results, answer), encoding="utf-8")
    say(f"wrote {output}", quiet=False)
    if figures is not None:
        labels = Labels(rows)
        palette = Palette(colour_keys(rows, labels), name)
        paths = list(printed.draw(drawn_of(rows, labels), palette, figures))
        say(f"wrote {len(paths)} files to {figures}", quiet=False)
    if not any(row.completed for row in rows):
        raise typer.Exit(ExitCode.NOTHING_TO_COMPARE)


def print_comparison(
    directories: list[Path],
    output: Format,
    *,
    baseline: str,
    target: float | None,
    baseline_required: bool = False,
    by: str = "algorithm",
    metrics: list[str] | None = None,
    ids: set[str] | None = None,
    best: str | None = None,
) -> "list[Row]":
    """Print directories' rows as ``output`` asks, of the cells with these ``ids`` alone where given; the rows."""
    from liecbench.report import columns, machine_readable, markdown, terminal
    from liecbench.results import comparison

    rows = _rows(directories, baseline=baseline, target=target, best=best, required=baseline_required, ids=ids)
    answer = _answer(rows, baseline=baseline, target=target, best=best)
    rows = comparison.grouped(rows, by)
    layout = columns.lay_out(rows, columns.checked_metrics(metrics), baseline=baseline, by=by)
    for name in metrics or ():
        if name not in layout.metrics:
            say(f"--metric {name}: no cell here has it", quiet=False)
    with readers_may_leave():
        match output:
            case Format.TABLE:
                screen = console()
                screen.print(terminal.render(rows, layout, by=by, width=screen.width, answer=answer))
            case Format.MARKDOWN:
                print(markdown.render(rows, layout, answer), end="")
            case Format.JSON:
                print(machine_readable.to_json(rows, baseline=baseline, target_accuracy=target))
            case Format.CSV:
                print(machine_readable.to_csv(rows), end="")
    return rows


def _rows(
    directories: list[Path],
    *,
    baseline: str,
    target: float | None,
    best: str | None,
    required: bool,
    ids: set[str] | None = None,
) -> "list[Row]":
    from liecbench.results import comparison
    from liecbench.results.directory import comparison_settings, load

    told = comparison_settings(directories[0])
    for other in directories[1:]:
        if comparison_settings(other) != told:
            say(f"{other}: its scenario asks for another baseline or target than {directories[0]}'s, used here", False)
    cells = [cell for cell in load(directories) if ids is None or cell.id in ids]
    if required:
        comparison.check_baseline(cells, baseline)
    if best is not None:
        cells = comparison.at_best(cells, best)
    return comparison.summarise(cells, baseline=baseline, target=target)


def _answer(rows: "list[Row]", *, baseline: str, target: float | None, best: str | None) -> list[str]:
    from liecbench.report import summary
    from liecbench.report.row_labels import Labels

    chosen = [f"each method at its best {best}, by the accuracy at the end"] if best else []
    return [*chosen, *summary.lines(rows, Labels(rows), baseline=baseline, target=target)]
