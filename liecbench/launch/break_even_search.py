"""Measure the step times of methods at added link rates, to narrow the ranges that contain the break-evens.

A break-even is the link rate at which a method is as fast as the baseline.
"""

import time
from collections.abc import Sequence
from dataclasses import replace

from liecbench.config.cell import Cell
from liecbench.launch.added_rates import SEARCH_SECONDS, AddedRate, rates_to_add
from liecbench.launch.launch_listener import Progress, StallTimeout
from liecbench.launch.recorded_launch import RunSettings
from liecbench.launch.session_runner import run_sessions
from liecbench.results.directory import ResultsDirectory


def narrow_break_evens(
    cells: Sequence[Cell], directory: ResultsDirectory, progress: Progress, settings: RunSettings
) -> None:
    """Measure step times at link rates that the scenario does not have, to narrow the methods' break-evens.

    Call this function after the timing sessions on the scenario's links. For each method, the next rate is chosen when
    the previous rate has been timed. A rate whose session fails is not tried again in this run. After
    ``SEARCH_SECONDS``, no further rate is timed.

    Args:
        cells: All cells of the run.
        directory: The results directory.
        progress: Listener to events.
        settings: The run's settings.
    """
    tried: set[str] = set()
    deadline = time.monotonic() + SEARCH_SECONDS
    while added := [one for one in _next(cells, directory, settings) if not tried.issuperset(one.measured)]:
        if time.monotonic() > deadline:
            text = f"break-evens could be narrowed further, but {SEARCH_SECONDS / 60:.0f} minutes have passed"
            progress.noticed(f"{text}; the same command goes on")
            return
        rates = ", ".join(dict.fromkeys(str(one.cells[0].link) for one in added))
        progress.noticed(f"break-even: timing at {rates}, where a method may be as fast as {settings.baseline}")
        to_time = {cell.id: cell for one in added for cell in one.cells}
        tried.update(to_time)
        waiting = replace(settings, stall_timeout=_stall_timeout(added, settings.stall_timeout))
        run_sessions(list(to_time.values()), directory, progress, waiting, {})


def _stall_timeout(added: Sequence[AddedRate], known: StallTimeout) -> StallTimeout:
    """Return a function that works like ``known``, and also for the cells of ``added``.

    Both functions map a cell's id to the seconds without an event after which a launch counts as stalled. A cell of
    ``added`` has the timeout of the same method on the slowest link that the scenario asks for.
    """
    measured = {new: old for one in added for new, old in one.measured.items()}
    return lambda cell_id: known(measured.get(cell_id or "", cell_id))


def _next(cells: Sequence[Cell], directory: ResultsDirectory, settings: RunSettings) -> list[AddedRate]:
    return rates_to_add(
        cells,
        directory.snapshot.refresh(),
        baseline=settings.baseline,
        precision=settings.precision,
        at_most=settings.break_even_rates,
    )
