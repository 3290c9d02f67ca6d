"""Runs for Python scripts and notebooks: what the command ``liecbench run`` does."""

import json
from collections.abc import Mapping
from os import PathLike, fspath
from pathlib import Path

from liecbench.api.loaded_results import Results
from liecbench.config.bundled_scenarios import scenario_path
from liecbench.matrix.run_request import RunRequest


def run(
    scenario: str | PathLike[str],
    *,
    out: str | PathLike[str] | None = None,
    only: Mapping[str, object] | None = None,
    overrides: Mapping[str, object] | None = None,
    seeds: int | None = None,
    fresh: bool = False,
    isolate: bool = False,
    share_gpus: bool = False,
    trace: bool = False,
    quiet: bool = False,
) -> Results:
    """Run a scenario's matrix, as the command ``liecbench run`` does, and return the results of its cells.

    If the results directory has results of the scenario already, only the cells that are left are run. A cell that
    fails raises no exception: the cell's row counts it under ``failed``, and has its error under ``errors``.

    Args:
        scenario: A scenario file, or the name of a bundled scenario, such as ``quickstart``.
        out: The results directory; None for ``results/NAME``, with the scenario's name.
        only: Values by the name of a field, such as ``{"workers": 2, "algorithm": ["ddp", "liec"]}``. Only cells whose
            fields have these values are run. A list allows each of its values. None to run all cells.
        overrides: New values for keys of the scenario, such as ``{"task.epochs": 1, "matrix.link": ["10mbit"]}``.
        seeds: The number n of seeds; seeds 0 to n − 1 are run. None for the scenario's own seeds.
        fresh: True to refuse a directory that has results, instead of continuing them.
        isolate: True to launch the workers anew for each cell.
        share_gpus: True to let NCCL ranks share GPUs.
        trace: True to record a timeline of a few steps per cell.
        quiet: True to print no progress on standard error.

    Raises:
        ScenarioError: If the scenario has a mistake; the message names the file, the line and what to do.
        MachineError: If a cell cannot run on this machine.
        LiecbenchError: If the results directory cannot be used, or if ``only`` matches no cell.
        TypeError: If the value of an override is neither a path nor representable as JSON.
        KeyboardInterrupt: If the run is interrupted; every finished epoch is kept.
    """
    assignments = [f"{key}={json.dumps(value, default=fspath)}" for key, value in (overrides or {}).items()]
    if seeds is not None:
        assignments.append(f"matrix.seed={list(range(seeds))}")
    request = RunRequest(
        scenario=scenario_path(fspath(scenario)),
        again="call liecbench.run again with the same arguments",
        out=None if out is None else Path(out),
        only=[f"{key}={value}" for key, values in (only or {}).items() for value in _alternatives(values)],
        assignments=assignments,
        fresh=fresh,
        isolate=isolate,
        share_gpus=share_gpus,
        trace=trace,
        quiet=quiet,
    )
    request.prepare_ranks()
    from liecbench.matrix.matrix_run import MatrixRun

    return Results(MatrixRun(request).execute())


def _alternatives(values: object) -> list[object] | tuple[object, ...]:
    return values if isinstance(values, list | tuple) else [values]
