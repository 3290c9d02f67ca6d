"""Choose link rates at which methods are timed in addition, to narrow their break-evens.

A break-even is the link rate at which a method is as fast as the baseline. A scenario's links enclose it if the method
is faster on one link and slower on another. No training is needed for an added rate, because losses do not depend on
the link.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from liecbench.config.cell import Cell
from liecbench.results.break_even import BreakEven, break_evens, rate_and_shape
from liecbench.results.cells import CellResult
from liecbench.results.rows import summarise


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedRate:
    """A link rate at which a method and the baseline are to be timed.

    Attributes:
        cells: The cells to time: those of the method and of the baseline, with every seed.
        measured: For the id of each of these cells, the id of the same cell on the slowest link that the scenario asks
            for.
    """

    cells: tuple[Cell, ...]
    measured: Mapping[str, str]


def rates_to_add(
    cells: Sequence[Cell], done: Mapping[str, CellResult], *, baseline: str, precision: float, at_most: int
) -> list[AddedRate]:
    """Return the next link rate of each method whose break-even can be narrowed.

    Args:
        cells: All cells of a run.
        done: The state of the cells in the results directory, with those at rates that were added before.
        baseline: The baseline's algorithm.
        precision: The wanted half-width of the 95 % interval of a speed-up, as a fraction of the speed-up.
        at_most: The number of rates that may be added per method, those of earlier runs included.
    """
    if not at_most or not may_add_rates(cells, baseline=baseline):
        return []
    asked = {cell.id: cell for cell in cells if cell.timing == "interleaved"}
    trajectories = {cell.trajectory.id for cell in asked.values()}
    found = [
        cell
        for cell in done.values()
        if cell.status == "completed" and (cell.id in asked or (cell.is_added and cell.trajectory in trajectories))
    ]
    completed = [asked[cell.id] for cell in found if cell.id in asked]
    narrowed = (
        (one, rate)
        for one in break_evens(summarise(found, baseline=baseline))
        if len(one.added_rates) < at_most and (rate := one.next_rate(precision)) is not None
    )
    return [_added(one, rate, completed, baseline) for one, rate in narrowed]


def may_add_rates(cells: Sequence[Cell], *, baseline: str) -> bool:
    """Return True if a method may have a break-even between the rates of the cells' links.

    It may if a method other than the baseline is timed on links with two rates or more.
    """
    rates: dict[str, set[int]] = {}
    for cell in cells:
        link = rate_and_shape(cell.link) if cell.timing == "interleaved" else None
        if link is not None and cell.algorithm.name != baseline:
            rates.setdefault(link[1], set()).add(link[0])
    return any(len(found) > 1 for found in rates.values())


def _added(found: BreakEven, rate: int, completed: Sequence[Cell], baseline: str) -> AddedRate:
    slowest = next(row for row in found.rows if not row.is_added)
    ids = {cell.id for cell in slowest.cells}
    compared = [cell for cell in completed if cell.id in ids]
    setting = compared[0].setting
    compared += [cell for cell in completed if cell.setting == setting and cell.algorithm.name == baseline]
    added = [(cell, cell.at_rate(rate)) for cell in compared]
    return AddedRate(
        cells=tuple(one for _, one in added),
        measured={one.id: cell.id for cell, one in added},
    )
