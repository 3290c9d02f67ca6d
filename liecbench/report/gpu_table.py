"""The table of GPU metrics on the HTML page of ``liecbench report``.

Each line of the table belongs to one row of the comparison, which joins the cells (training runs) that differ only in
the seed. A value is the mean over the row's cells that have finished an epoch, even if a cell failed later or is
unfinished.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from liecbench.results.comparison import Comparison
from liecbench.results.completed_cell import CompletedCell
from liecbench.results.gpu_metrics import reason_text, throttling_shares
from liecbench.results.metric_row import Metric
from liecbench.results.metrics import METRICS
from liecbench.results.rows import Row
from liecbench.results.statistics import Estimate
from liecbench.results.units import FRACTION

_METRICS: Final = tuple(
    metric for metric in METRICS.values() if metric.of_gpus and not metric.every_seed and not metric.zero_is_missing
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuTable:
    """The texts of a table of GPU metrics.

    Attributes:
        headings: The headings of the columns with metrics.
        lines: One line per row that has GPU metrics, as (the name of the row, one text per heading).
    """

    headings: list[str]
    lines: list[tuple[str, list[str]]]


def gpu_table(comparison: Comparison) -> GpuTable | None:
    """Return a table with one line for each row of the comparison that has GPU metrics; None if no row has any."""
    rows = [row for row in comparison.rows if any(epoch.gpu for cell in row.cells for epoch in cell.epochs)]
    if not rows:
        return None
    metrics = [metric for metric in _METRICS if any(_values(row, metric) for row in rows)]
    reasons = _reasons(rows)
    lines = [
        (
            comparison.labels.whole(row),
            [
                *(metric.text(_mean(_values(row, metric))) for metric in metrics),
                *(FRACTION.text(_mean(_shares(row, reason))) for reason in reasons),
            ],
        )
        for row in rows
    ]
    return GpuTable(headings=[*(m.heading for m in metrics), *map(reason_text, reasons)], lines=lines)


def _reasons(rows: Sequence[Row]) -> list[str]:
    """Return the names of all fields ``throttled_<reason>_share`` that the records of the rows' epochs have."""
    epochs = [epoch for row in rows for cell in row.cells for epoch in cell.epochs]
    # Records may have reasons that this version does not know, so ``gpu_metrics.REASONS`` is not enough.
    names = dict.fromkeys(name for epoch in epochs for name in epoch.gpu or {})
    return [name for name in names if name.startswith("throttled_") and name != "throttled_share"]


def _values(row: Row, metric: Metric) -> list[float]:
    assert metric.derive is not None, "metrics of GPUs are not compared with the baseline"
    found = [metric.derive(CompletedCell(epochs=cell.epochs)) for cell in row.cells if cell.epochs]
    return [value for value in found if value is not None]


def _shares(row: Row, reason: str) -> list[float]:
    return [shares[reason] for cell in row.cells if reason in (shares := throttling_shares(cell.epochs))]


def _mean(values: Sequence[float]) -> Estimate | None:
    return Estimate.of(values) if values else None
