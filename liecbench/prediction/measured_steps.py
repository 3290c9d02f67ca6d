"""Measured mean seconds per step of rows of results, to compare with predictions.

Rows whose seconds cannot be predicted are left out, such as rows on links that lose frames. ``fit_costs`` fits the
constants of a transport to the measured seconds.
"""

import statistics
from dataclasses import dataclass
from pathlib import Path

from liecbench.config.cell import Cell
from liecbench.errors import NothingToCompareError
from liecbench.network.link_map import LinkMap
from liecbench.results.comparison import Comparison
from liecbench.results.comparison_of_cells import compare
from liecbench.results.comparison_settings import comparison_settings
from liecbench.results.row_flags import row_flags
from liecbench.results.rows import Row
from liecbench.results.stored_cells import load


@dataclass(frozen=True, kw_only=True)
class MeasuredStep:
    """The measured mean seconds per step of one row of results.

    Attributes:
        row: The row.
        name: The method's name.
        cell: The configuration and seed of the row's first completed cell.
        seconds: Mean seconds per step in the long run.
        steps_per_epoch: The number of steps per epoch, averaged over the row's completed cells.
    """

    row: Row
    name: str
    cell: Cell
    seconds: float
    steps_per_epoch: float

    @property
    def flags(self) -> tuple[str, ...]:
        """The names of the row's flags, such as ``cpu_bound`` (too few processors). ``row_flags`` explains each."""
        return row_flags(self.row)


def comparison_with_added(directory: Path) -> Comparison:
    """Return the comparison of the cells of a results directory.

    Cells at link rates that are not in the scenario are included. A run adds such rates to find a break-even more
    precisely.
    """
    settings = comparison_settings(directory)
    return compare(load([directory], with_added=True), baseline=settings.baseline, directories=[directory])


def measured_steps(comparison: Comparison) -> list[MeasuredStep]:
    """Return the measured seconds per step of each row that can be predicted.

    These are the rows with a completed cell and a known epoch time, on shaped links that lose no frames.

    Raises:
        NothingToCompareError: If there is no such row.
    """
    found = []
    for row in comparison.rows:
        seconds, links = row.metrics["seconds_per_epoch"], LinkMap.parse(row.cells[0].spec["link"])
        completed = [cell for cell in row.cells if cell.status == "completed"]
        if seconds is None or not completed or not links.shaped or any(link.loss for link in links.links()):
            continue
        steps = statistics.fmean(cell.epochs[-1].steps for cell in completed)
        cell = Cell.from_spec(dict(completed[0].spec))
        name = comparison.labels.method(row)
        found.append(MeasuredStep(row=row, name=name, cell=cell, seconds=seconds.mean / steps, steps_per_epoch=steps))
    if not found:
        raise NothingToCompareError(
            "no completed row has a link that can be predicted: with a rate, which `none` and `host` have not, and "
            "without loss",
            "run the scenario with links such as --set 'matrix.link=[20mbit, 1gbit]'",
        )
    return found
