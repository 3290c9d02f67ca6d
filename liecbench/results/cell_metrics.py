"""All known metrics of one cell, by name."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from liecbench.results.completed_cell import CompletedCell
from liecbench.results.metric_row import Compare
from liecbench.results.metrics import METRICS

_BLOCK_CELLS: Final = 500


def derive_metrics(cells: Iterable[CompletedCell]) -> list[dict[str, float]]:
    """Return each cell's known metrics by name, without the metrics that compare it with the baseline.

    A cell that was only timed, and not trained, has neither losses nor accuracy.
    """
    remaining = iter(cells)
    derived: list[dict[str, float]] = []
    while block := list(itertools.islice(remaining, _BLOCK_CELLS)):
        derived += _derive_block(block)
    return derived


def _derive_block(cells: Sequence[CompletedCell]) -> list[dict[str, float]]:
    # One metric of all cells after the other takes less time than all metrics of one cell after the other.
    derived: list[dict[str, float]] = [{} for _ in cells]
    every_cell = list(zip(cells, derived, strict=True))
    on_gpus = [pair for pair in every_cell if any(epoch.gpu is not None for epoch in pair[0].epochs)]
    for metric in METRICS.values():
        if metric.derive is None:
            continue
        for cell, values in on_gpus if metric.of_gpus else every_cell:
            value = metric.derive(cell)
            if value is not None and not math.isnan(value):
                values[metric.name] = value
    return derived


def comparing_metrics() -> list[tuple[str, Compare]]:
    """Return (name, function) for each metric that compares a cell with the baseline's cell of the same seed.

    The function takes the cell's metrics by name, the metrics of the baseline's cell by name, and a ratio: the samples
    per epoch of the cell's row ÷ those of the baseline's row. It returns the metric's value, or None if it has none.
    """
    return [(metric.name, metric.compare) for metric in METRICS.values() if metric.compare is not None]


def compare_metrics(
    cell: Mapping[str, float],
    baseline: Mapping[str, float],
    samples_ratio: float,
    compared: Sequence[tuple[str, Compare]],
) -> dict[str, float]:
    """Return the values, by name, of the metrics in ``compared``, such as the speed-up over the baseline.

    Metrics without a value are left out.

    Args:
        cell: The cell's own metrics by name.
        baseline: The metrics, by name, of the baseline's cell with the same seed.
        samples_ratio: The samples per epoch of the cell's row ÷ those of the baseline's row.
        compared: The name and the function of each metric to compute, as ``comparing_metrics`` returns them.
    """
    return {name: value for name, compare in compared if (value := compare(cell, baseline, samples_ratio)) is not None}
