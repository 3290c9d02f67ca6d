"""Commands: parse, call, print; nothing else."""

import contextlib
import functools
import os
import re
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from liecbench import __version__
from liecbench.errors import ExitCode, Interruption, LiecbenchError

if TYPE_CHECKING:
    from rich.console import Console

    from liecbench.bench.row import Findings
    from liecbench.results import Row

app = typer.Typer(
    help="Does gradient compression pay off on my network, which method, and what does it cost in accuracy?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich's help would triple the start-up
    context_settings={"help_option_names": ["-h", "--help"]},
)


bench = typer.Typer(
    help="Microbenchmarks, each against its physical limit measured in the same run.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(bench, name="bench")
data = typer.Typer(help="Datasets' files.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(data, name="data")

_PIPE_WIDTH = 200
_RESNET18_SIZE = 11_171_146


class Format(StrEnum):
    """How a comparison is printed."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"
    CSV = "csv"


class BenchmarkFormat(StrEnum):
    """How a benchmark is printed."""

    TABLE = "table"
    JSON = "json"


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

# More elements than an int32 position can name would need other formats.
Size = Annotated[int, typer.Option(metavar="N", min=1, max=2**31 - 1, help="Elements; the default is ResNet-18's.")]
Workers = Annotated[int, typer.Option(metavar="N", min=2, max=1000, help="Ranks, each behind a link of its own.")]
BenchmarkOutput = Annotated[BenchmarkFormat, typer.Option("--format", help="How to print it.")]


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
    from liecbench.doctor import require_netem
    from liecbench.estimate import patience
    from liecbench.jobs import jobs_left
    from liecbench.launch import follow
    from liecbench.nodes import Leader, Nodes
    from liecbench.progress import ConsoleProgress
    from liecbench.run import (
        ResultsDirectory,
        check_nodes,
        finished_cells,
        refuse_existing,
        run_jobs,
        select,
    )
    from liecbench.scenario import load_scenario

    choose = functools.partial(select, conditions=only or [])
    loaded = load_scenario(scenario, assign or [], choose)
    cells = choose(loaded.cells())
    require_netem(cell.link for cell in cells if cell.enforcement == "kernel")
    directory = out or Path("results") / loaded.name
    nodes = Nodes.parse(num_nodes, node_rank, master) if num_nodes > 1 else None
    if nodes:
        check_nodes(cells, nodes)
    if resume is False:
        refuse_existing(directory)
    if dry_run:
        with _readers_may_leave():
            jobs = jobs_left(cells, finished_cells(directory))
            for line in forecast.lines(jobs, len(cells), directory, nodes, isolate=isolate):
                print(line)
        return
    if nodes and nodes.rank:
        well = follow(nodes, directory, lambda line: _say(line, quiet))
        raise typer.Exit(ExitCode.DONE if well else ExitCode.CELL_FAILED)
    with ResultsDirectory(directory) as results:
        results.write_scenario(loaded)
        jobs = jobs_left(cells, results.results)
        _say(results.describe(cells, jobs), quiet)
        try:
            with (
                Leader(nodes) if nodes else contextlib.nullcontext() as leader,
                ConsoleProgress(Console(stderr=True, quiet=quiet), jobs, len(cells)) as progress,
            ):
                waits = patience({cell.id: cell for cell in cells}, loaded.step_timeout)
                run_jobs(cells, jobs, results, progress, patience=waits, leader=leader, isolate=isolate)
        except Interruption:
            again = shlex.join(["liecbench", *(word for word in sys.argv[1:] if word != "--fresh")])
            _say(f"interrupted; every finished epoch is kept in {directory}. To go on: {again}", quiet=False)
            raise
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
    baseline: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Algorithm to compare with.", show_default="the scenario's"),
    ] = None,
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
    )
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
    with _readers_may_leave():
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

    console = Console()
    with _readers_may_leave():
        for finding in examine():
            console.print(render(finding), soft_wrap=True)


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
    _say(f"wrote {path}; next: liecbench run {shlex.quote(str(path))} --dry-run", quiet=False)


@bench.command(name="compressors")
def bench_compressors(size: Size = _RESNET18_SIZE, output: BenchmarkOutput = BenchmarkFormat.TABLE) -> None:
    """Every compressor on one thread, against copying its vector."""
    from liecbench.bench.compressors import measure

    _print_benchmark(measure(size, lambda line: _say(line, quiet=False)), output)


@bench.command(name="link")
def bench_link(
    size: Annotated[
        list[int] | None,
        typer.Option(metavar="BYTES", min=4, max=2**30, help="Repeat for several.", show_default="64 kB, 1 MB, 16 MB"),
    ] = None,
    workers: Workers = 4,
    link: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LINK", help="A rate or a preset; repeat for several.", show_default="1, 10, 100mbit, 1gbit"
        ),
    ] = None,
    output: BenchmarkOutput = BenchmarkFormat.TABLE,
) -> None:
    """Links, and torch's operations over them, against the wire time of their bytes."""
    from liecbench.bench.link import measure, parse_links
    from liecbench.doctor import require_netem

    links = parse_links(link or ["1mbit", "10mbit", "100mbit", "1gbit"])
    require_netem(links)
    sizes = size or [2**16, 2**20, 2**24]
    _print_benchmark(measure(sizes, workers, links, lambda line: _say(line, quiet=False)), output)


@bench.command(name="exchange")
def bench_exchange(
    size: Size = _RESNET18_SIZE,
    workers: Workers = 4,
    rate: Annotated[
        list[str] | None,
        typer.Option(metavar="RATE", help="A link's rate; repeat for several.", show_default="100mbit, 1gbit"),
    ] = None,
    output: BenchmarkOutput = BenchmarkFormat.TABLE,
) -> None:
    """Training steps over shaped links, against the wire time of their bytes."""
    from liecbench.bench.exchange import measure, parse_rates

    rates = parse_rates(rate or ["100mbit", "1gbit"])
    _print_benchmark(measure(size, workers, rates, lambda line: _say(line, quiet=False)), output)


@app.command()
def schema() -> None:
    """Print the scenario's JSON Schema."""
    import json

    from liecbench.schema import scenario_schema

    with _readers_may_leave():
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


@contextmanager
def _readers_may_leave() -> Iterator[None]:
    """Whoever reads standard output may have had enough, as in `liecbench list algorithms | head -1`."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(text: str, quiet: bool) -> None:
    if not quiet and text:
        print(text, file=sys.stderr)


def _console() -> "Console":
    from rich.console import Console

    # A pipe has no width: everything is shown.
    return Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH)


def _print_benchmark(findings: "Findings", output: BenchmarkFormat) -> NoReturn:
    from liecbench import machine
    from liecbench.report import benchmark

    place = machine.describe(threads=1)
    with _readers_may_leave():
        match output:
            case BenchmarkFormat.TABLE:
                _console().print(benchmark.render(findings, place))
            case BenchmarkFormat.JSON:
                print(benchmark.to_json(findings.rows, place))
    for failure in findings.failures:
        print(f"liecbench: {failure}", file=sys.stderr)
    raise typer.Exit(ExitCode.CELL_FAILED if findings.failures else ExitCode.DONE)


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
) -> "list[Row]":
    from liecbench import results
    from liecbench.report import columns, export, markdown, terminal

    cells = [cell for cell in results.load(directories) if ids is None or cell.id in ids]
    if baseline_required:
        results.check_baseline(cells, baseline)
    rows = results.grouped(results.summarise(cells, baseline=baseline, target=target), by)
    layout = columns.lay_out(rows, columns.checked_metrics(metrics), baseline=baseline, by=by)
    with _readers_may_leave():
        match output:
            case Format.TABLE:
                console = _console()
                console.print(terminal.render(rows, layout, by=by, width=console.width))
            case Format.MARKDOWN:
                print(markdown.render(rows, layout), end="")
            case Format.JSON:
                print(export.to_json(rows, baseline=baseline, target_accuracy=target))
            case Format.CSV:
                print(export.to_csv(rows), end="")
    return rows
