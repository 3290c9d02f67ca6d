"""The command ``liecbench run``."""

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from liecbench.cli.compare import print_comparison
from liecbench.cli.options import Assignments, Only, Quiet, ScenarioPath, ShareGpus
from liecbench.console.console import ignore_broken_pipe
from liecbench.errors import ExitCode
from liecbench.matrix.run_request import RunRequest
from liecbench.report.formats import Format


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
    output: Annotated[Format, typer.Option("--format", help="How to print the comparison.")] = Format.TABLE,
) -> None:
    """Run the scenario's matrix, then print the comparison."""
    seeds = [] if num_seeds is None else [f"matrix.seed={list(range(num_seeds))}"]
    request = RunRequest(
        scenario=scenario,
        again=shlex.join(["liecbench", *(word for word in sys.argv[1:] if word != "--fresh")]),
        out=out,
        only=only or [],
        assignments=[*(assign or []), *seeds],
        fresh=fresh,
        isolate=isolate,
        share_gpus=share_gpus,
        trace=trace,
        quiet=quiet,
        num_nodes=num_nodes,
        node_rank=node_rank,
        master=master,
    )
    if not dry_run:
        request.prepare_ranks()
    from liecbench.matrix.matrix_run import MatrixRun

    matrix = MatrixRun(request)
    if dry_run:
        with ignore_broken_pipe():
            if output == Format.JSON:
                print(json.dumps({"dry_run": list(matrix.dry_run())}, indent=2))
                return
            for line in matrix.dry_run():
                print(line)
        return
    if matrix.nodes and matrix.nodes.rank:
        raise typer.Exit(ExitCode.DONE if matrix.follow() else ExitCode.CELL_FAILED)
    comparison = matrix.execute()
    print_comparison(comparison, output)
    failed = any(row.num_failed for row in comparison.rows) or matrix.added_rate_failed()
    raise typer.Exit(ExitCode.CELL_FAILED if failed else ExitCode.DONE)
