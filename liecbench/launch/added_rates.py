"""Choose additional link rates at which methods are timed, to narrow their break-evens.

A break-even is the link rate at which a method is as fast as the baseline. It lies between two links of the scenario if
the method is faster on one of them and slower on the other. An added rate needs no training, because losses do not
depend on the link.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from liecbench.config.cell import Cell
from liecbench.results.break_even import BreakEven, break_evens
from liecbench.results.cells import CellResult
from liecbench.results.link_rates import rate_and_shape, without_rate
from liecbench.results.rows_of_cells import summarise

# No further rate is added once the added rates of a run have taken this long.
SEARCH_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedRate:
    """An additional link rate at which a method and the baseline are to be timed.

    Attributes:
        cells: The cells to time. They are copies, at the additional rate, of completed cells of the method and of the
            baseline. The completed cells are at the scenario's lowest link rate with a known speed-up of the method.
        measured: Maps the id of each copy to the id of the completed cell that was copied.
    """

    cells: tuple[Cell, ...]
    measured: Mapping[str, str]


def rates_to_add(
    cells: Sequence[Cell], done: Mapping[str, CellResult], *, baseline: str, precision: float, at_most: int
) -> list[AddedRate]:
    """Return, for each method whose break-even can be narrowed, the link rate at which to time it next.

    A break-even is the link rate at which a method is as fast as the baseline.

    Args:
        cells: All cells of a run.
        done: The results in the results directory, by cell id, including those at added rates.
        baseline: The baseline's algorithm.
        precision: The wanted half-width of the 95 % interval of a speed-up, as a fraction of the speed-up.
        at_most: The largest number of added rates per method, including those that earlier runs added.
    """
    if not at_most or not num_narrowable(cells, baseline=baseline):
        return []
    asked = {cell.id: cell for cell in cells if cell.timing == "interleaved"}
    found = [cell for cell in with_added(list(asked.values()), done) if cell.status == "completed"]
    completed = [asked[cell.id] for cell in found if cell.id in asked]
    narrowed = (
        (one, rate)
        for one in break_evens(summarise(found, baseline=baseline))
        if any(not row.is_added for row in one.rows)
        and len(one.added_rates) < at_most
        and (rate := one.next_rate(precision)) is not None
    )
    return [_added(one, rate, completed, baseline) for one, rate in narrowed]


def with_added(cells: Sequence[Cell], done: Mapping[str, CellResult]) -> list[CellResult]:
    """Return the results of ``cells`` and of their copies at added link rates.

    A run adds link rates to narrow break-evens. A copy differs from its original in ``cells`` only in its link rates,
    which are all multiplied by the same factor. Cells and copies without a result are left out.

    Args:
        cells: All cells of a run.
        done: The results in the results directory, by cell id.
    """
    ids, narrowed = {cell.id for cell in cells}, {without_rate(cell.spec()) for cell in cells}
    return [cell for cell in done.values() if cell.id in ids or (cell.is_added and without_rate(cell.spec) in narrowed)]


def num_narrowable(cells: Sequence[Cell], *, baseline: str) -> int:
    """Return the number of methods for which a run may add link rates to narrow the break-even.

    A run may add link rates for every method that is timed at two or more link rates. The baseline does not count.
    Cells are counted as one method only if they differ in nothing but the link rate and the seed. For example, a method
    that runs with 2 and with 4 workers counts twice.

    Args:
        cells: All cells of the run.
        baseline: The baseline's algorithm.
    """
    rates: dict[str, set[int]] = {}
    for cell in cells:
        link = rate_and_shape(cell.link) if cell.timing == "interleaved" else None
        if link is not None and cell.algorithm.name != baseline:
            rates.setdefault(without_rate({**cell.spec(), "seed": 0}), set()).add(link[0])
    return sum(len(found) > 1 for found in rates.values())


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
