"""Warnings that a reader needs before trusting a row of cells that differ only in the seed."""

from collections.abc import Sequence
from typing import Final

from liecbench.network.link_map import LinkMap
from liecbench.results.cells import CellResult
from liecbench.results.changed_code import version_warnings
from liecbench.results.gpu_metrics import sharing_warnings, throttling_warnings
from liecbench.results.link_warnings import link_warnings
from liecbench.results.pace import Pace
from liecbench.results.statistics import Estimate

# Timing aims at an interval whose half-width is 0.02 of the mean. Readers are warned if it is above this fraction.
IMPRECISE: Final = 0.025
# Readers are warned if the samples per epoch of a row and its baseline differ by more than this fraction.
_UNEQUAL_SAMPLES: Final = 0.01


def cell_warnings(cells: Sequence[CellResult]) -> list[str]:
    """Return the warnings on a row that follow from the row's cells alone.

    Warnings that also need the baseline or the speed-up come from ``emulator_warnings`` and ``precision_warnings``.
    Deviations of rates and round trips come from ``link_deviations``. The warnings of this function are on:

    - cells that were trained with different versions of a user's own code;
    - a TCP window that is too small for the rate of a link;
    - an emulated link that dropped frames or sent frames late;
    - links whose rates are limited by the ranks themselves instead of the kernel;
    - GPUs that ranks shared, or that were throttled;
    - trainings that were too short for any averaging step;
    - imprecise times in results of earlier versions of liecbench.
    """
    on_gpus = [*sharing_warnings(cells), *throttling_warnings(cells)]
    return [
        *version_warnings(cells),
        *link_warnings(cells),
        *on_gpus,
        *_averaging_warnings(cells),
        *_timing_warnings(cells),
    ]


def precision_warnings(cells: Sequence[CellResult], speedup: Estimate | None) -> list[str]:
    """Return a list with one warning if a row's speed-up is known too imprecisely; else an empty list.

    There is a warning if the half-width of the speed-up's interval, divided by the speed-up, is above 1.25 times
    ``timing_precision``, the value that the timing session aimed at. There is no warning if no timing session timed the
    row, if the cells do not record ``timing_precision``, or if ``speedup`` or one of its bounds is None.

    Args:
        cells: The cells of the row.
        speedup: The speed-up of the row over the baseline.
    """
    wanted = next((cell.environment.timing_precision for cell in cells if cell.timings), None)
    if wanted is None or speedup is None or speedup.low is None or speedup.high is None:
        return []
    known = (speedup.high - speedup.low) / (2 * speedup.mean)
    if known <= IMPRECISE / 0.02 * wanted:
        return []
    rounds = len({(burst.placement, burst.round) for cell in cells for burst in cell.timings})
    shown = f"{known:.0%}" if known >= 0.1 else f"{known:.1%}"
    found = f"its speed-up is uncertain by ±{shown} of its value (95% interval after {rounds} rounds)"
    return [f"{found}, and timing_precision asked for ±{100 * wanted:g}%"]


def emulator_warnings(cells: Sequence[CellResult], baseline: Sequence[CellResult]) -> list[str]:
    """Return a list with one warning if link emulators differ within a row or from its baseline; else an empty list.

    There is a warning if the row's cells used more than one emulator, or if they used one emulator and the baseline's
    cells used another. Both can happen if the scenario lets liecbench choose the emulator, and different versions or
    machines timed the cells.

    Args:
        cells: The cells of the row.
        baseline: The cells of the row's baseline; empty if the row has no baseline.
    """
    own, others = (frozenset[str]().union(*(cell.emulators for cell in group)) for group in (cells, baseline))
    if len(own) > 1:
        emulated = f"its links were emulated by {' and '.join(sorted(own))} by turns"
    elif own and others - own:
        emulated = f"its links were emulated by {min(own)}, the baseline's by {' and '.join(sorted(others))}"
    else:
        return []
    return [f"{emulated}: times differ between these; run the scenario in a new directory with one of them (emulator)"]


def samples_warnings(pace: Pace, baseline: Pace | None, *, is_trained: bool) -> list[str]:
    """Return a list with one warning if a row's epochs are shorter or longer than the baseline's; else an empty list.

    There is no warning if the samples per epoch differ by at most 1 % of the baseline's, or if a number is unknown.

    Args:
        pace: The pace of the row.
        baseline: The pace of the row's baseline; None if the row has no baseline.
        is_trained: False if only steps of a profile were timed. An epoch is then one step, without accuracy.
    """
    own, others = pace.samples, None if baseline is None else baseline.samples
    if own is None or others is None or abs(own - others) <= _UNEQUAL_SAMPLES * others:
        return []
    # There are several reasons: samples that fill no step are left out, and a baseline may be trained on other data.
    found = f"its {'epochs' if is_trained else 'steps'} have {own:,.0f} samples, the baseline's {others:,.0f}"
    if pace.is_compared_by_epochs:
        why = "because rows of an earlier version lack their samples: run the scenario in a new directory"
        if not is_trained:
            why = "because rows of an earlier version, or of a profile without batch_size, lack their samples"
        return [f"{found}; its speed-up and bytes÷ do not allow for this, {why}"]
    costs = "accuracy and values per epoch" if is_trained else "values per epoch, which is a step,"
    return [f"{found}; its speed-up and bytes÷ allow for this, its {costs} do not"]


def _timing_warnings(cells: Sequence[CellResult]) -> list[str]:
    relative_widths: dict[str, float] = {}
    for composed in (cell.epochs[-1].composed for cell in cells if cell.epochs):
        for name, kind in composed.kinds.items() if composed else ():
            width = kind.half_width_seconds / kind.mean_seconds
            relative_widths[name] = max(relative_widths.get(name, 0.0), width)
    link = LinkMap.parse(cells[0].spec["link"])
    return [
        f"composed: its {'' if name == 'step' else name + ' '}steps on {link} are known to {width:.0%} only"
        for name, width in relative_widths.items()
        if width > IMPRECISE
    ]


def _averaging_warnings(cells: Sequence[CellResult]) -> list[str]:
    algorithm = cells[0].spec["algorithm"]
    option = "sync_every" if "sync_every" in algorithm else "average_period"
    period = algorithm.get(option, 1)
    steps = [sum(epoch.steps for epoch in cell.epochs) for cell in cells if cell.status == "completed"]
    if not steps or max(steps) >= period or not cells[0].is_trained:
        return []
    missing = "accuracy" if any(cell.long_run for cell in cells) else "time and bytes"
    return [f"its {max(steps)} steps are fewer than {option} {period}: no averaging is in its {missing}"]
