"""All known metrics of one cell, by name."""

import math
from collections.abc import Mapping

from liecbench.results.metric_row import CompletedCell
from liecbench.results.metrics import METRICS


def derive_metrics(cell: CompletedCell) -> dict[str, float]:
    """Return a cell's known metrics by name, without the metrics that compare it with the baseline.

    A cell that was only timed, and not trained, has neither losses nor accuracy.
    """
    on_gpus = any(epoch.gpu is not None for epoch in cell.epochs)
    values: dict[str, float] = {}
    for metric in METRICS.values():
        if metric.derive is not None and (on_gpus or not metric.of_gpus):
            value = metric.derive(cell)
            if value is not None and not math.isnan(value):
                values[metric.name] = value
    return values


def compare_metrics(cell: Mapping[str, float], baseline: Mapping[str, float]) -> dict[str, float]:
    """Return by name the known metrics that compare a cell with the baseline's cell of the same seed.

    Args:
        cell: The cell's own metrics by name.
        baseline: The metrics of the baseline's cell by name.
    """
    values = {m.name: m.compare(cell, baseline) for m in METRICS.values() if m.compare is not None}
    return {name: value for name, value in values.items() if value is not None}
