"""Rows of a comparison: each row joins the cells that differ only in the seed, and has the means of their metrics."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from liecbench.config.cell_fields import LATER_FIELDS, flat_fields
from liecbench.errors import LiecbenchError, did_you_mean
from liecbench.results.cells import CellResult
from liecbench.results.directory import DEFAULT_BASELINE
from liecbench.results.metric_row import CompletedCell, Metric
from liecbench.results.metrics import METRICS, compare_metrics, derive_metrics
from liecbench.results.statistics import Estimate
from liecbench.results.warnings import cell_warnings

# Two rows are compared only if their cells share the _SETTING fields, and their tasks share the _WORKLOAD fields.
_SETTING: Final = ("workers", "link", "threads", "backend", "device", "enforcement", "timing")
_WORKLOAD: Final = ("dataset", "model", "batch_size", "partition", "precision")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Cells that differ only in the seed, and their metrics.

    Args:
        fields: The fields that the cells share, by name; nested fields are flattened.
        cells: The cells, completed or not.
        per_seed: The metrics by name of each completed cell, by seed.
        baseline_per_seed: Likewise for the completed cells of the baseline row; empty without a baseline.
        reached: The number of cells that reached the target accuracy, such as ``2/3``; None without a target.
        metrics: The mean over seeds of each metric, by name; None if it is unknown.
        errors: The errors of failed and diverged cells.
        warnings: Facts that a reader must know before trusting the row.
    """

    fields: dict[str, Any]
    cells: tuple[CellResult, ...]
    per_seed: dict[int, dict[str, float]]
    baseline_per_seed: dict[int, dict[str, float]]
    reached: str | None
    metrics: dict[str, Estimate | None]
    errors: list[str]
    warnings: list[str]

    @property
    def algorithm(self) -> str:
        """The algorithm's name, without options."""
        return str(self.fields["algorithm"])

    @property
    def num_failed(self) -> int:
        """The number of failed and diverged cells."""
        return sum(cell.status in ("failed", "diverged") for cell in self.cells)

    @property
    def num_unfinished(self) -> int:
        """The number of cells that have begun but not ended."""
        return sum(cell.status == "unfinished" for cell in self.cells)

    @property
    def num_completed(self) -> int:
        """The number of completed cells."""
        return len(self.cells) - self.num_failed - self.num_unfinished

    @property
    def state(self) -> str:
        """The numbers of cells that did not complete, such as ``1/3 failed``; empty if all completed."""
        counts = {"failed": self.num_failed, "unfinished": self.num_unfinished}
        return ", ".join(f"{count}/{len(self.cells)} {state}" for state, count in counts.items() if count)

    @property
    def has_epochs(self) -> bool:
        """True if any of the cells has finished an epoch."""
        return any(cell.epochs for cell in self.cells)


def summarise(
    cells: Sequence[CellResult], *, baseline: str = DEFAULT_BASELINE, target_accuracy: float | None = None
) -> list[Row]:
    """Return one row per group of cells that differ only in the seed.

    Args:
        cells: Cells of one or more results directories.
        baseline: The algorithm with which rows of the same setting and workload are compared.
        target_accuracy: The accuracy, from 0 to 1, that the metrics named ``…_to_target`` refer to; None for none.

    Returns:
        The rows, fastest first within each setting.
    """
    groups: dict[tuple[str, str | None], list[CellResult]] = {}
    for cell in cells:
        alike = json.dumps({name: value for name, value in cell.spec.items() if name != "seed"})
        groups.setdefault((alike, cell.directory), []).append(cell)
    baselines: dict[str, list[list[CellResult]]] = {}
    for group in groups.values():
        if group[0].spec["algorithm"]["name"] == baseline:
            baselines.setdefault(_comparable(group[0]), []).append(group)
    metrics = {
        id(cell): derive_metrics(CompletedCell.of(cell.epochs, target_accuracy))
        for cell in cells
        if cell.status == "completed"
    }
    rows = []
    for group in groups.values():
        base = _nearest(group[0], baselines.get(_comparable(group[0]), []))
        rows.append(_row(group, base, metrics, has_target=target_accuracy is not None))
    return sorted(rows, key=_setting_then_speed)


def check_baseline(cells: Sequence[CellResult], baseline: str) -> None:
    """Raise LiecbenchError if no cell has the algorithm ``baseline``."""
    names = {cell.spec["algorithm"]["name"] for cell in cells}
    if baseline not in names:
        raise LiecbenchError(f"--baseline {baseline}: no cell has this algorithm", did_you_mean(baseline, names))


def grouped(rows: Sequence[Row], by: str) -> list[Row]:
    """Return the rows, reordered so that rows with the same value of the field ``by`` are adjacent.

    If ``by`` is ``algorithm``, the order does not change.

    Raises:
        LiecbenchError: If no row has the field.
    """
    known = {name for row in rows for name in row.fields}
    if by not in known:
        raise LiecbenchError(f"--by {by}: there is no such field", did_you_mean(by, known))
    order = list(dict.fromkeys(str(row.fields.get(by)) for row in rows))
    return sorted(rows, key=lambda row: 0 if by == "algorithm" else order.index(str(row.fields.get(by))))


def _row_fields(group: list[CellResult]) -> dict[str, Any]:
    cell = group[0]
    fields = {name: value for name, value in flat_fields(cell.spec).items() if name != "seed"}
    epochs = [epoch for cell in group for epoch in cell.epochs]
    if fields["timing"] == "composed" and epochs and not any(epoch.composed for epoch in epochs):
        fields["timing"] = "trained"
    return fields if cell.directory is None else {**fields, "results": cell.directory}


def _row(
    group: list[CellResult], baseline: list[CellResult], derived: Mapping[int, dict[str, float]], *, has_target: bool
) -> Row:
    completed = [cell for cell in group if cell.status == "completed"]
    baseline_per_seed = {cell.spec["seed"]: derived[id(cell)] for cell in baseline if cell.status == "completed"}
    per_seed: dict[int, dict[str, float]] = {}
    for cell in completed:
        own, other = derived[id(cell)], baseline_per_seed.get(cell.spec["seed"])
        per_seed[cell.spec["seed"]] = own | (compare_metrics(own, other) if other is not None else {})
    num_reached = sum("seconds_to_target" in metrics for metrics in per_seed.values())
    return Row(
        fields=_row_fields(group),
        cells=tuple(group),
        per_seed=per_seed,
        baseline_per_seed=baseline_per_seed,
        reached=f"{num_reached}/{len(group)}" if has_target else None,
        metrics={
            metric.name: _mean(metric, list(per_seed.values()), num_cells=len(group)) for metric in METRICS.values()
        },
        errors=[f"{cell.status}: {cell.error}" for cell in group if cell.error],
        warnings=[*_pairing_warnings(list(per_seed.values()), baseline), *cell_warnings(group)],
    )


def _mean(metric: Metric, completed: Sequence[Mapping[str, float]], *, num_cells: int) -> Estimate | None:
    """Return the mean of a metric over seeds; None if a completed cell has no value.

    Metrics that compare with the baseline skip the seeds without a value. Metrics with ``every_seed`` are None also if
    a cell failed or is unfinished.
    """
    known = [metrics[metric.name] for metrics in completed if metric.name in metrics]
    # A cell that did not complete has not reached the target accuracy either.
    num_expected = num_cells if metric.every_seed else len(known) if metric.compare else len(completed)
    return Estimate.of(known) if known and len(known) == num_expected else None


def _pairing_warnings(completed: Sequence[Mapping[str, float]], baseline: list[CellResult]) -> list[str]:
    num_paired = sum("accuracy_difference" in metrics for metrics in completed)
    if not baseline or num_paired == len(completed):
        return []
    return [f"compared with the baseline by {num_paired} of its {len(completed)} seeds: the baseline has no others"]


def _comparable(cell: CellResult) -> str:
    """Return a key that is equal for a cell and the baseline's cells that it may be compared with."""
    setting = [cell.spec.get(name) for name in _SETTING]
    task = {**LATER_FIELDS, **cell.spec["task"]}
    return json.dumps([cell.directory, setting, [task[name] for name in _WORKLOAD]], sort_keys=True)


def _nearest(cell: CellResult, baselines: list[list[CellResult]]) -> list[CellResult]:
    """Return the group of baseline cells whose task has the most fields equal to the cell's; empty if there is none.

    There are several groups if the scenario varies the task, for example its learning rate.
    """
    task = cell.spec["task"]
    return max(baselines, key=lambda group: sum(group[0].spec["task"][k] == v for k, v in task.items()), default=[])


def _setting_then_speed(row: Row) -> tuple[object, ...]:
    seconds = row.metrics["seconds_per_epoch"]
    names = [name for name in (*_SETTING, *_WORKLOAD) if name != "timing"]
    setting = tuple(str(row.fields.get(name)).rjust(12) for name in names)
    return (*setting, math.inf if seconds is None else seconds.mean)
