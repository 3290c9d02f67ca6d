"""The commands ``liecbench compare`` and ``liecbench report``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from liecbench.cli.completion import complete_methods
from liecbench.cli.garbage import without_collections
from liecbench.cli.output_file import OutputKind, done_text, require_replaceable
from liecbench.console.console import console, ignore_broken_pipe, name_full_disk, say
from liecbench.errors import ExitCode
from liecbench.report.formats import Format
from liecbench.untrusted import regular_files

if TYPE_CHECKING:
    from liecbench.results.comparison import Comparison

ResultsPaths = Annotated[list[Path], typer.Argument(metavar="RESULTS...", show_default=False)]
BaselineName = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Algorithm to compare with.",
        show_default="the scenario's",
        autocompletion=complete_methods,
    ),
]
TunedField = Annotated[
    str | None, typer.Option(metavar="FIELD", help="Compare each method at its own best value of a tuned field.")
]

WithLoading = Annotated[
    bool, typer.Option("--with-loading", help="Count the loading of batches in the seconds per epoch.")
]


@without_collections()
def compare(
    results: ResultsPaths,
    by: Annotated[str, typer.Option(metavar="FIELD", help="Group rows by this field.")] = "algorithm",
    metric: Annotated[list[str] | None, typer.Option(help="Show this metric; repeat for several.")] = None,
    baseline: BaselineName = None,
    best: TunedField = None,
    wide: Annotated[bool, typer.Option("--wide", help="Show more metrics, in lines as long as needed.")] = False,
    with_loading: WithLoading = False,
    output: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.TABLE,
) -> None:
    """Compare the algorithms of one or more results directories."""
    comparison = load_for_command(
        results,
        by=by,
        metrics=metric or [],
        wide=wide,
        baseline=baseline,
        tuned_field=best,
        includes_loading=with_loading,
    )
    print_comparison(comparison, output)
    _exit_if_nothing_completed(comparison)


@without_collections()
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
    with_loading: WithLoading = False,
) -> None:
    """Write one HTML page that works without a network: verdict, comparison, figures, what was run."""
    from liecbench.report import html

    require_replaceable(output, OutputKind.REPORT)
    comparison = load_for_command(results, baseline=baseline, tuned_field=best, includes_loading=with_loading)
    page = html.render(comparison)
    done = done_text(output)
    with ignore_broken_pipe():  # for -o /dev/stdout
        regular_files.write_text(output, page)
    say(done, quiet=False)
    if figures is not None:
        _write_figures(comparison, figures)
    _exit_if_nothing_completed(comparison)


def print_comparison(comparison: "Comparison", output: Format = Format.TABLE) -> None:
    """Print a comparison on standard output; warn about requested metrics that no cell has."""
    shown = {metric.name for metric in comparison.columns()}
    for name in comparison.requested_metrics:
        if name not in shown:
            say(f"--metric {name}: no cell here has it", quiet=False)
    rendered = output.render(comparison)
    with ignore_broken_pipe():
        if isinstance(rendered, str):
            print(rendered, end="")
        else:
            console().print(rendered, crop=False)


def load_for_command(directories: list[Path], **settings: Any) -> "Comparison":
    """Return the comparison of all cells in ``directories``; ``settings`` are arguments for ``load_comparison``."""
    from liecbench.results.stored_comparison import load_comparison

    return load_comparison(directories, notify=lambda text: say(text, quiet=False), **settings)


def _write_figures(comparison: "Comparison", directory: Path) -> None:
    from liecbench.report.figures.all_figures import all_figures
    from liecbench.report.figures.colours import Palette
    from liecbench.report.figures.vector_files import write_vector_files

    palette = Palette(comparison.labels.colour_keys, comparison.baseline)
    before = set(directory.glob("*"))
    with name_full_disk(directory):
        paths = list(write_vector_files(all_figures(comparison), palette, directory))
    replaced = len(before.intersection(paths))
    say(f"wrote {len(paths)} files to {directory}{f', {replaced} of them replaced' if replaced else ''}", quiet=False)


def _exit_if_nothing_completed(comparison: "Comparison") -> None:
    if not any(row.num_completed for row in comparison.rows):
        raise typer.Exit(ExitCode.NOTHING_TO_COMPARE)
