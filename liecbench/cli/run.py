"""The command ``liecbench run``."""

import contextlib
import dataclasses
import functools
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liecbench.cli.compare import print_comparison
from liecbench.cli.console import console, ignore_broken_pipe, name_full_disk, say
from liecbench.cli.options import Assignments, Only, Quiet, ScenarioPath, ShareGpus
from liecbench.errors import ExitCode, Interruption, MachineError, ScenarioError

if TYPE_CHECKING:
    from liecbench.config.cell import Cell
    from liecbench.config.scenario import Scenario
    from liecbench.launch.added_rates import AddedRate
    from liecbench.launch.multinode import Nodes
    from liecbench.launch.pending import Pending
    from liecbench.launch.recorded_launch import RunSettings
    from liecbench.results.directory import ResultsDirectory, Snapshot

_MOST_DIGITS = 8  # more would be no number of threads, but could make int() raise an error


def run(
    scenario: ScenarioPath,
    out: Annotated[Path | None, typer.Option(help="Results directory.", show_default="results/NAME")] = None,
    only: Only = None,
    assign: Assignments = None,
    num_seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds", metavar="N", min=1, max=1000, help="Run seeds 0 to N - 1.", show_default="the scenario's"
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Refuse a directory that has results, instead of continuing them.")
    ] = False,
    isolate: Annotated[bool, typer.Option("--isolate", help="Launch the workers anew for each cell.")] = False,
    share_gpus: ShareGpus = False,
    trace: Annotated[
        bool, typer.Option("--trace", help="Record a timeline of a few steps per cell, for Perfetto.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would run, and run nothing.")] = False,
    quiet: Quiet = False,
    num_nodes: Annotated[
        int,
        typer.Option("--nodes", metavar="N", min=1, max=1000, help="Machines, for cells with link: host."),
    ] = 1,
    node_rank: Annotated[int, typer.Option(metavar="N", help="This machine's number, from 0.")] = 0,
    master: Annotated[
        str | None, typer.Option(metavar="ADDRESS[:PORT]", help="Address of machine 0.", show_default=False)
    ] = None,
) -> None:
    """Run the scenario's matrix, then print the comparison."""
    if num_seeds is not None:
        assign = [*(assign or []), f"matrix.seed={list(range(num_seeds))}"]
    if not dry_run:
        _prepare_ranks(scenario, out, assign or [], num_nodes, node_rank, master)
    from liecbench.config.loader import load_scenario
    from liecbench.config.selection import select
    from liecbench.estimate.dry_run import lines
    from liecbench.launch.added_rates import num_narrowable, with_added
    from liecbench.launch.gpu_requirements import require_cuda
    from liecbench.launch.launch import follow
    from liecbench.launch.multinode import Nodes
    from liecbench.launch.recorded_launch import RunSettings
    from liecbench.results.comparison import compare
    from liecbench.results.directory import ComparisonSettings, ResultsDirectory, Snapshot, refuse_existing

    choose = functools.partial(select, conditions=only or [])
    loaded = load_scenario(scenario, assign or [], choose)
    directory = out or Path("results") / loaded.name
    nodes = Nodes.parse(num_nodes, node_rank, master) if num_nodes > 1 else None
    if fresh:
        refuse_existing(directory)
    snapshot = Snapshot(directory)
    loaded = loaded.resuming(cell.spec for cell in snapshot.cells.values() if cell.is_interleaved)
    cells = choose(loaded.cells())
    pending = _checked_pending(loaded, cells, snapshot, nodes, share_gpus=share_gpus)
    check_gpus = functools.partial(require_cuda, num_nodes=num_nodes, share_gpus=share_gpus)
    if dry_run:
        with ignore_broken_pipe():
            for line in lines(
                *(pending, len(cells), directory, nodes),
                added=[] if pending.sessions else _added_rates(loaded, cells, snapshot),
                num_narrowable=num_narrowable(cells, baseline=loaded.baseline_choice.algorithm),
                break_even_rates=_break_even_rates(loaded),
                isolate=isolate,
                share_gpus=share_gpus,
            ):
                print(line)
            try:
                check_gpus(cell for cell in cells if cell.id in pending.cells)
            except MachineError as error:
                print(f"not on this machine: {error}")
        return
    check_gpus(cell for cell in cells if cell.id in pending.cells)
    if nodes and nodes.rank:
        succeeded = follow(nodes, directory, lambda line: say(line, quiet))
        raise typer.Exit(ExitCode.DONE if succeeded else ExitCode.CELL_FAILED)
    settings = functools.partial(
        RunSettings,
        baseline=loaded.baseline_choice.algorithm,
        precision=loaded.timing_precision,
        break_even_rates=_break_even_rates(loaded),
        isolate=isolate,
        share_gpus=share_gpus,
        trace=trace,
    )
    with name_full_disk(directory), ResultsDirectory(snapshot) as results:
        results.write_scenario(loaded)
        _run_rest(loaded, cells, results, nodes, settings, quiet=quiet)
    if (directory / "traces").is_dir() and trace:
        say(f"timelines are in {directory / 'traces'}; open them at ui.perfetto.dev", quiet)
    compared = ComparisonSettings.of(loaded.stored())
    comparison = compare(
        with_added(cells, snapshot.cells),
        baseline=compared.baseline,
        target_accuracy=compared.target_accuracy,
        target_loss=compared.target_loss,
        tolerances=compared.tolerances,
        directories=[directory],
    )
    print_comparison(comparison)
    failed = any(row.num_failed for row in comparison.rows) or _added_rate_failed(loaded, cells, snapshot)
    raise typer.Exit(ExitCode.CELL_FAILED if failed else ExitCode.DONE)


def _prepare_ranks(
    scenario: Path, out: Path | None, assignments: list[str], num_nodes: int, node_rank: int, master: str | None
) -> None:
    """Start the process that ranks are forked from, and do not wait until it has imported torch, which takes seconds.

    Start nothing if the results directory exists, because perhaps no cell is left to run. The process is then started
    when the first ranks are. The scenario is not checked yet. If its check shows that the ranks need other environment
    variables, a second process is started later.
    """
    from liecbench.launch.launch import prepare
    from liecbench.launch.multinode import Nodes

    name, threads = (_unchecked(scenario, assignments, key, default) for key, default in (("name", ""), ("threads", 1)))
    if (out or Path("results") / name).is_dir():
        return
    nodes = Nodes.parse(num_nodes, node_rank, master) if num_nodes > 1 else None
    prepare(int(threads) if threads.isdecimal() and len(threads) <= _MOST_DIGITS else 1, nodes)


def _unchecked(scenario: Path, assignments: list[str], key: str, default: object) -> str:
    """Return the value of a top-level key of a scenario as text, without checking the scenario."""
    from liecbench.config.yaml_source import load

    try:
        content = load(scenario).data
    except ScenarioError:
        content = {}  # loading the scenario reports the error later
    asked = [text.removeprefix(f"{key}=") for text in assignments if text.startswith(f"{key}=")]
    return asked[-1] if asked else str(content.get(key, default))


def _break_even_rates(loaded: "Scenario") -> int:
    """Return at how many link rates, besides the scenario's own, a method may be timed to narrow its break-even.

    Return 0 if the scenario's baseline is an algorithm with values of other fields, such as ``workers``.
    """
    return 0 if loaded.baseline_choice.fixed else loaded.break_even_rates


def _added_rates(loaded: "Scenario", cells: "list[Cell]", snapshot: "Snapshot") -> "list[AddedRate]":
    """Return the link rates at which methods are timed next, to narrow their break-evens.

    All timing sessions on the scenario's own links must be over.
    """
    from liecbench.launch.added_rates import rates_to_add

    return rates_to_add(
        cells,
        snapshot.cells,
        baseline=loaded.baseline_choice.algorithm,
        precision=loaded.timing_precision,
        at_most=_break_even_rates(loaded),
    )


def _added_rate_failed(loaded: "Scenario", cells: "list[Cell]", snapshot: "Snapshot") -> bool:
    """Return True if timing failed at a link rate that was added to narrow a method's break-even."""
    wanted = [cell.id for one in _added_rates(loaded, cells, snapshot) for cell in one.cells]
    return any(cell in snapshot.cells and snapshot.cells[cell].status == "failed" for cell in wanted)


def _checked_pending(
    loaded: "Scenario", cells: "list[Cell]", snapshot: "Snapshot", nodes: "Nodes | None", *, share_gpus: bool
) -> "Pending":
    """Return the work that is left; raise LiecbenchError if a cell cannot run on this machine."""
    from liecbench.diagnostics.link_support import require_emulator
    from liecbench.estimate.replay_limit import refuse_long_replays
    from liecbench.launch.pending import jobs_left
    from liecbench.launch.runner import check_nodes, check_sharing

    if nodes:
        check_nodes(cells, nodes)
    if share_gpus:
        check_sharing(cells)
    pending = jobs_left(
        cells, snapshot.cells, baseline=loaded.baseline_choice.algorithm, precision=loaded.timing_precision
    )
    left = (cell for cell in cells if cell.id in pending.cells)
    require_emulator((cell.link, cell.emulator) for cell in left if cell.enforcement == "kernel")
    refuse_long_replays(pending.sessions, snapshot.path)
    return pending


def _run_rest(
    loaded: "Scenario",
    cells: "list[Cell]",
    results: "ResultsDirectory",
    nodes: "Nodes | None",
    settings: "Callable[..., RunSettings]",
    *,
    quiet: bool,
) -> None:
    """Run those of ``cells`` that have neither completed nor diverged, and show progress.

    The caller must hold the lock of the results directory. ``settings`` returns the settings of the run, given
    ``stall_timeout``.
    """
    from liecbench.cli.progress import ConsoleProgress
    from liecbench.estimate.cost import stall_timeout
    from liecbench.launch.multinode import Leader
    from liecbench.launch.runner import run_jobs
    from liecbench.launch.template_client import not_inherited
    from liecbench.results.changed_models import changed_models

    trajectories = (cell.trajectory for cell in cells if cell.timing == "interleaved" and cell.is_trained)
    timeouts = stall_timeout({cell.id: cell for cell in (*cells, *trajectories)}, loaded.step_timeout)
    run = settings(stall_timeout=timeouts)
    pending = run.pending(cells, results.snapshot.cells)
    say(results.describe(cells, pending.cells, pending.jobs), quiet)
    say(not_inherited(), quiet)
    for sentence in changed_models(cells, results.snapshot.cells.values()):
        say(sentence, quiet)
    try:
        with (
            Leader(nodes) if nodes else contextlib.nullcontext() as leader,
            ConsoleProgress(console(stderr=True, quiet=quiet), pending, len(cells)) as progress,
        ):
            run_jobs(cells, results, progress, dataclasses.replace(run, leader=leader))
    except Interruption:
        again = shlex.join(["liecbench", *(word for word in sys.argv[1:] if word != "--fresh")])
        say(f"interrupted; every finished epoch is kept in {results.path}. To continue: {again}", quiet=False)
        raise
