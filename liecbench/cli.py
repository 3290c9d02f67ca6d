"""Commands: parse, call, print; nothing else."""

import contextlib
import functools
import re
import shlex
import signal
import sys
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from liecbench import __version__
from liecbench.benchmarks import bench
from liecbench.checks import ShareGpus, baseline, check
from liecbench.errors import ExitCode, Interruption, LiecbenchError
from liecbench.output import console, readers_may_leave, say

if TYPE_CHECKING:
    from liecbench.results import Row

app = typer.Typer(
    help="Does gradient compression pay off on my network, which method, and what does it cost in accuracy?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich's help would triple the start-up
    context_settings={"help_option_names": ["-h", "--help"]},
)


app.add_typer(bench, name="bench")
app.command()(check)
app.command()(baseline)
data = typer.Typer(help="Datasets' files.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(data, name="data")

_MORE_METRICS = ("accuracy_difference", "train_loss", "seconds_to_target", "bytes_to_target", "joules_to_target")


class Format(StrEnum):
    """How a comparison is printed."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"
    CSV = "csv"


class Listing(StrEnum):
    """What ``list`` can show."""

    ALGORITHMS = "algorithms"
    COMPRESSORS = "compressors"
    MODELS = "models"
    DATASETS = "datasets"


def _print_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


ScenarioPath = Annotated[Path, typer.Argument(metavar="SCENARIO.yaml", show_default=False)]
ResultsPaths = Annotated[list[Path], typer.Argument(metavar="RESULTS...", show_default=False)]
BaselineName = Annotated[
    str | None, typer.Option(metavar="NAME", help="Algorithm to compare with.", show_default="the scenario's")
]
TunedField = Annotated[
    str | None, typer.Option(metavar="FIELD", help="Compare each method at its own best value of a tuned field.")
]


@app.command()
def run(
    scenario: ScenarioPath,
    out: Annotated[Path | None, typer.Option(help="Results directory.", show_default="results/NAME")] = None,
    only: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Run the cells with this value.")] = None,
    assign: Annotated[list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Override a key.")] = None,
    resume: Annotated[
        bool | None,
        typer.Option("--resume/--fresh", help="Go on where results exist (the default), or refuse to."),
    ] = None,
    isolate: Annotated[bool, typer.Option("--isolate", help="Give each cell a launch of its own.")] = False,
    share_gpus: ShareGpus = False,
    trace: Annotated[
        bool, typer.Option("--trace", help="Keep a timeline of a few steps of each cell, for Perfetto.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would run, and run nothing.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print no progress.")] = False,
    num_nodes: Annotated[
        int, typer.Option("--nodes", metavar="N", min=1, max=1000, help="Machines that share link: host cells.")
    ] = 1,
    node_rank: Annotated[int, typer.Option(metavar="N", help="Which of them this is, from 0.")] = 0,
    master: Annotated[
        str | None, typer.Option(metavar="ADDRESS[:PORT]", help="The first of them.", show_default=False)
    ] = None,
) -> None:
    """Run the scenario's matrix, then print the comparison."""
    from rich.console import Console

    from liecbench import forecast
    from liecbench.cuda import require_cuda
    from liecbench.doctor import require_netem
    from liecbench.estimate import patience
    from liecbench.jobs import jobs_left
    from liecbench.launch import follow
    from liecbench.nodes import Leader, Nodes
    from liecbench.progress import ConsoleProgress
    from liecbench.run import (
        ResultsDirectory,
        check_nodes,
        check_sharing,
        finished_cells,
        refuse_existing,
        run_jobs,
        select,
    )
    from liecbench.scenario import load_scenario

    choose = functools.partial(select, conditions=only or [])
    loaded = load_scenario(scenario, assign or [], choose)
    cells = choose(loaded.cells())
    directory = out or Path("results") / loaded.name
    nodes = Nodes.parse(num_nodes, node_rank, master) if num_nodes > 1 else None
    if nodes:
        check_nodes(cells, nodes)
    if share_gpus:
        check_sharing(cells)
    if resume is False:
        refuse_existing(directory)
    jobs = jobs_left(cells, finished_cells(directory))
    require_netem(job.cell.link for job in jobs if job.cell.enforcement == "kernel")
    if dry_run:
        with readers_may_leave():
            for line in forecast.lines(jobs, len(cells), directory, nodes, isolate=isolate):
                print(line)
        return
    require_cuda((job.cell for job in jobs), num_nodes=num_nodes, share_gpus=share_gpus)
    if nodes and nodes.rank:
        well = follow(nodes, directory, lambda line: say(line, quiet))
        raise typer.Exit(ExitCode.DONE if well else ExitCode.CELL_FAILED)
    with ResultsDirectory(directory) as results:
        results.write_scenario(loaded)
        jobs = jobs_left(cells, results.results)
        say(results.describe(cells, jobs), quiet)
        try:
            with (
                Leader(nodes) if nodes else contextlib.nullcontext() as leader,
                ConsoleProgress(Console(stderr=True, quiet=quiet), jobs, len(cells)) as progress,
            ):
                waits = patience({cell.id: cell for cell in cells}, loaded.step_timeout)
                run_jobs(
                    cells,
                    jobs,
                    results,
                    progress,
                    patience=waits,
                    leader=leader,
                    isolate=isolate,
                    share_gpus=share_gpus,
                    trace=trace,
                )
        except Interruption:
            again = shlex.join(["liecbench", *(word for word in sys.argv[1:] if word != "--fresh")])
            say(f"interrupted; every finished epoch is kept in {directory}. To go on: {again}", quiet=False)
            raise
    if (directory / "traces").is_dir() and trace:
        say(f"timelines are in {directory / 'traces'}; open them at ui.perfetto.dev", quiet)
    ids = {cell.id for cell in cells}
    rows = _print_comparison(
        [directory], Format.TABLE, ids=ids, baseline=loaded.baseline, target=loaded.target_accuracy
    )
    raise typer.Exit(ExitCode.CELL_FAILED if any(row.failed for row in rows) else ExitCode.DONE)


@app.command()
def compare(
    results: ResultsPaths,
    by: Annotated[str, typer.Option(metavar="FIELD", help="Group rows by this field.")] = "algorithm",
    metric: Annotated[list[str] | None, typer.Option(help="Show this metric; repeat for several.")] = None,
    baseline: BaselineName = None,
    best: TunedField = None,
    output: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.TABLE,
) -> None:
    """Compare the algorithms of one or more results directories."""
    from liecbench.results import settings

    told = settings(results[0])
    rows = _print_comparison(
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


@app.command()
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
    from liecbench.report import page, printed
    from liecbench.report.colours import Palette
    from liecbench.report.columns import DEFAULT_METRICS, lay_out
    from liecbench.report.figures import figures as drawn_of
    from liecbench.report.labels import Labels, colour_keys
    from liecbench.results import settings

    told = settings(results[0])
    name = baseline or told.baseline
    rows = _rows(results, baseline=name, target=told.target_accuracy, best=best, required=baseline is not None)
    layout = lay_out(rows, [*DEFAULT_METRICS, *_MORE_METRICS], baseline=name, by="algorithm")
    answer = _answer(rows, baseline=name, target=told.target_accuracy, best=best)
    output.write_text(page.render(rows, layout, results, answer), encoding="utf-8")
    say(f"wrote {output}", quiet=False)
    if figures is not None:
        labels = Labels(rows)
        palette = Palette(colour_keys(rows, labels), name)
        paths = list(printed.draw(drawn_of(rows, labels), palette, figures))
        say(f"wrote {len(paths)} files to {figures}", quiet=False)
    if not any(row.completed for row in rows):
        raise typer.Exit(ExitCode.NOTHING_TO_COMPARE)


@app.command(name="list")
def list_names(what: Annotated[Listing, typer.Argument(show_default=False)]) -> None:
    """List what a scenario can name: one line each, options with their defaults."""
    from liecbench import catalog
    from liecbench.report.listing import lines

    kind: dict[Listing, catalog.Kind] = {
        Listing.ALGORITHMS: "algorithm",
        Listing.COMPRESSORS: "compressor",
        Listing.MODELS: "model",
        Listing.DATASETS: "dataset",
    }
    with readers_may_leave():
        print("\n".join(lines(kind[what])))


@data.command(name="fetch")
def data_fetch(
    name: Annotated[str, typer.Argument(metavar="DATASET", show_default=False)],
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to.", show_default="$LIECBENCH_DATA, ~/.cache/liecbench")
    ] = None,
) -> None:
    """Download a dataset's official archive, and check it; goes on where it was interrupted."""
    from rich.console import Console

    from liecbench.fetch import fetch
    from liecbench.tasks.archives import data_directory

    fetch(name, to or data_directory(), Console(stderr=True))


@app.command()
def doctor() -> None:
    """Find out what this machine can do; each 'no' with its remedy."""
    from rich.console import Console

    from liecbench.doctor import examine
    from liecbench.report.findings import render

    screen = Console()
    with readers_may_leave():
        for finding in examine():
            screen.print(render(finding), soft_wrap=True)


@app.command()
def init(path: Annotated[Path, typer.Argument(metavar="[FILE]")] = Path("scenario.yaml")) -> None:
    """Write a commented starter scenario."""
    from importlib.resources import files

    try:
        with path.open("x", encoding="utf-8") as file:
            starter = files("liecbench").joinpath("starter.yaml").read_text(encoding="utf-8")
            name = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-._")[:100] or "scenario"
            file.write(starter.replace("my-network", name))
    except FileExistsError:
        raise LiecbenchError(f"{path} exists already", "give another name, or remove it") from None
    except OSError as error:
        raise LiecbenchError(f"{path}: {error.strerror}", "give a path that can be written") from None
    say(f"wrote {path}; next: liecbench run {shlex.quote(str(path))} --dry-run", quiet=False)


@app.command()
def schema() -> None:
    """Print the scenario's JSON Schema."""
    import json

    from liecbench.schema import scenario_schema

    with readers_may_leave():
        print(json.dumps(scenario_schema(), indent=2))


def main() -> NoReturn:
    """The entry point: a user's mistake is a line and an exit code, never a traceback."""
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        app()
    except LiecbenchError as error:
        print(f"liecbench: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        # Paths that no one can open, full disks: what the system says is what the user needs.
        where = f"{error.filename}: " if error.filename else ""
        print(f"liecbench: {where}{error.strerror or error}; check the path and its disk", file=sys.stderr)
        sys.exit(ExitCode.USAGE)
    sys.exit(ExitCode.DONE)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise Interruption


def _print_comparison(
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
    from liecbench import results
    from liecbench.report import columns, export, markdown, terminal

    rows = _rows(directories, baseline=baseline, target=target, best=best, required=baseline_required, ids=ids)
    answer = _answer(rows, baseline=baseline, target=target, best=best)
    rows = results.grouped(rows, by)
    layout = columns.lay_out(rows, columns.checked_metrics(metrics), baseline=baseline, by=by)
    with readers_may_leave():
        match output:
            case Format.TABLE:
                screen = console()
                screen.print(terminal.render(rows, layout, by=by, width=screen.width, answer=answer))
            case Format.MARKDOWN:
                print(markdown.render(rows, layout, answer), end="")
            case Format.JSON:
                print(export.to_json(rows, baseline=baseline, target_accuracy=target))
            case Format.CSV:
                print(export.to_csv(rows), end="")
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
    from liecbench import results
    from liecbench.folded import load

    told = results.settings(directories[0])
    for other in directories[1:]:
        if results.settings(other) != told:
            say(f"{other}: its scenario asks for another baseline or target than {directories[0]}'s, used here", False)
    cells = [cell for cell in load(directories) if ids is None or cell.id in ids]
    if required:
        results.check_baseline(cells, baseline)
    if best is not None:
        cells = results.at_best(cells, best)
    return results.summarise(cells, baseline=baseline, target=target)


def _answer(rows: "list[Row]", *, baseline: str, target: float | None, best: str | None) -> list[str]:
    from liecbench.report import verdict
    from liecbench.report.labels import Labels

    chosen = [f"each method at its best {best}, by the accuracy at the end"] if best else []
    return [*chosen, *verdict.lines(rows, Labels(rows), baseline=baseline, target=target)]
