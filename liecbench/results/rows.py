"""A row of a comparison: the cells that differ only in the seed, and the mean of each metric over these cells.

A cell is one configuration of a scenario's matrix with one seed.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from liecbench.errors import LiecbenchError, did_you_mean
from liecbench.network.deviation import Deviation
from liecbench.network.slowdown import replayed_text
from liecbench.results.cells import CellResult
from liecbench.results.link_warnings import deviation_warning
from liecbench.results.pace import Pace
from liecbench.results.ratio_interval import LogRatio
from liecbench.results.statistics import Estimate


@dataclass(frozen=True, kw_only=True)
class Row:
    """Cells that differ only in the seed, and their metrics.

    Rows are compared within a setting, such as one link. The rows of a setting differ only in the method.

    Args:
        fields: The fields that the cells share, by name; nested fields are flattened.
        cells: The cells, completed or not.
        per_seed: For each seed whose cell completed, the cell's metrics by name.
        baseline_per_seed: For each seed whose baseline cell completed, that cell's metrics by name; empty without a
            baseline.
        is_baseline: True if the other rows of the setting are compared with this row.
        is_dense: True if this row is the fastest row without compression in the setting.
        pace: The seconds per epoch of the cells.
        speed: ln(the baseline's seconds ÷ this row's), for equally many samples. None if this row is the baseline, if
            there is no baseline, or if the seconds cannot be compared.
        dense_speed: ln(the ``is_dense`` row's seconds ÷ this row's), for equally many samples. None if the ``is_dense``
            row is the baseline or this row, if there is no such row, or if the seconds cannot be compared.
        cpu_share_differs: True if the row and the baseline cannot be ranked, because the shares of the CPU that other
            processes used differ too much between the two.
        reached: The cells that reached the target, out of all cells, such as ``2/3``; None without a target.
        metrics: By name, the mean of each metric over the seeds; None if the mean is unknown.
        errors: The errors of failed and diverged cells.
        link_deviations: The measured rates and round trips that deviate from the requested rates and round trips.
        other_warnings: All warnings about the row that are not about ``link_deviations``.
        task_differences: The task's fields that differ between the row and the baseline. Each name maps to the pair
            (the row's value, the baseline's value).
    """

    fields: dict[str, Any]
    cells: tuple[CellResult, ...]
    per_seed: dict[int, dict[str, float]]
    baseline_per_seed: dict[int, dict[str, float]]
    is_baseline: bool
    is_dense: bool
    pace: Pace
    speed: LogRatio | None
    dense_speed: LogRatio | None
    cpu_share_differs: bool
    reached: str | None
    metrics: dict[str, Estimate | None]
    errors: list[str]
    link_deviations: tuple[Deviation, ...]
    other_warnings: list[str]
    task_differences: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    @property
    def warnings(self) -> list[str]:
        """The facts that a reader must know before trusting the row."""
        return [*([deviation_warning(self.link_deviations)] if self.link_deviations else []), *self.other_warnings]

    @property
    def mean_log_speed(self) -> float:
        """The mean of ln(speed-up over the baseline), taken from ``speed``; 0 if ``speed`` is None.

        The mean is over rounds if timing sessions timed both the row and the baseline, else over seeds.
        """
        return 0.0 if self.speed is None else self.speed.mean

    @property
    def is_added(self) -> bool:
        """True if a run added this row's link rate, to narrow the range of link rates that contains a break-even."""
        return self.cells[0].is_added

    @property
    def algorithm(self) -> str:
        """The algorithm's name, without options."""
        return str(self.fields["algorithm"])

    @property
    def is_trained(self) -> bool:
        """False if only steps of a profile were timed, so that the row has neither losses nor accuracy."""
        return self.cells[0].is_trained

    @functools.cached_property
    def is_language_model(self) -> bool:
        """True if the row trains a language model, which is judged by its test loss instead of its accuracy."""
        return any(cell.is_language_model for cell in self.cells)

    @property
    def is_replayed(self) -> bool:
        """True if the ranks slept as long as a profile says, instead of computing."""
        return self.cells[0].is_replayed

    @functools.cached_property
    def dilation(self) -> float:
        """The factor by which the row's replay ran slower than what it emulates, such as 16; 1 if nothing was replayed.

        If the factor differs between timings of the row, this is the largest.
        """
        if not self.is_replayed:
            return 1.0
        return max((burst.dilation for cell in self.cells for burst in cell.timings), default=1.0)

    @functools.cached_property
    def message_divisor(self) -> int:
        """The factor by which message sizes and link rates were divided while the row was timed; 1 for no division.

        If the timings of the row have different factors, the value is the largest factor.
        """
        return max((burst.message_divisor for cell in self.cells for burst in cell.timings), default=1)

    @property
    def compute_text(self) -> str:
        """The source of the step times: ``measured`` or, for example, ``replayed ×16, scaled ÷4``.

        In the example, ``dilation`` is 16, and ``message_divisor`` is 4.
        """
        if not self.is_replayed:
            return "measured"
        return replayed_text(self.dilation, self.message_divisor)

    @functools.cached_property
    def num_failed(self) -> int:
        """The number of failed and diverged cells."""
        return sum(cell.status in ("failed", "diverged") for cell in self.cells)

    @functools.cached_property
    def num_unfinished(self) -> int:
        """The number of cells that have begun but not ended."""
        return sum(cell.status == "unfinished" for cell in self.cells)

    @property
    def num_completed(self) -> int:
        """The number of completed cells."""
        return len(self.cells) - self.num_failed - self.num_unfinished

    @property
    def state(self) -> str:
        """The counts of failed and of unfinished cells, out of all cells, such as ``1/3 failed, 1/3 unfinished``.

        Diverged cells count as failed. The text is empty if all cells completed.
        """
        counts = {"failed": self.num_failed, "unfinished": self.num_unfinished}
        return ", ".join(f"{count}/{len(self.cells)} {state}" for state, count in counts.items() if count)

    @property
    def has_epochs(self) -> bool:
        """True if any of the cells has finished an epoch."""
        return any(cell.epochs for cell in self.cells)


def grouped(rows: Sequence[Row], by: str) -> list[Row]:
    """Return the rows, reordered so that rows with equal values of one field are adjacent.

    Args:
        rows: The rows.
        by: The name of the field, such as ``link``. If ``by`` is ``algorithm``, the order of the rows is not changed.

    Raises:
        LiecbenchError: If no row has the field.
    """
    known = {name for row in rows for name in row.fields}
    if by not in known:
        raise LiecbenchError(f"--by {by}: there is no such field", did_you_mean(by, known))
    order = list(dict.fromkeys(str(row.fields.get(by)) for row in rows))
    return sorted(rows, key=lambda row: 0 if by == "algorithm" else order.index(str(row.fields.get(by))))
