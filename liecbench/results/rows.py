"""Rows of a comparison: each row joins the cells that differ only in the seed, and has the means of their metrics.

A cell is one configuration of a scenario's matrix with one seed. A row is compared with the baseline of its setting.
"""

import functools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import to_json

from liecbench.config.baseline_choice import BaselineChoice
from liecbench.config.cell_fields import LATER_FIELDS, flat_fields
from liecbench.config.known_specs import alike_key
from liecbench.errors import LiecbenchError, did_you_mean
from liecbench.network.link_map import LinkMap
from liecbench.results.cells import CellResult
from liecbench.results.directory import DEFAULT_BASELINE
from liecbench.results.metric_row import CompletedCell, Metric
from liecbench.results.metrics import METRICS, compare_metrics, derive_metrics
from liecbench.results.pace import Pace
from liecbench.results.ratio_interval import LogRatio
from liecbench.results.statistics import Estimate
from liecbench.results.warnings import cell_warnings, emulator_warnings, precision_warnings

# Two rows are compared only if their cells share the _SETTING fields, and their tasks share the _WORKLOAD fields.
_SETTING: Final = (
    *("workers", "link", "threads", "backend", "device", "enforcement", "emulator", "timing"),
    *("compute", "profile", "dilation"),
)
_WORKLOAD: Final = ("dataset", "model", "batch_size", "partition", "precision")
# Algorithms without compression, which send every gradient in full or in 16 bits.
DENSE: Final = frozenset({"ddp", "ddp_bf16", "ddp_fp16"})


@dataclass(frozen=True, kw_only=True)
class Row:
    """Cells that differ only in the seed, and their metrics.

    Args:
        fields: The fields that the cells share, by name; nested fields are flattened.
        cells: The cells, completed or not.
        per_seed: By seed, the metrics of the completed cell, by name.
        baseline_per_seed: By seed, the metrics of the baseline's completed cell, by name; empty without a baseline.
        is_baseline: True if the other rows of its setting are compared with this row.
        is_dense: True if the row is the fastest one without compression in its setting.
        pace: The seconds per epoch by round of a timing session, or by seed.
        speed: ln(seconds of the baseline ÷ seconds of the row); None for the baseline, or if they cannot be compared.
        dense_speed: ln(seconds of the fastest row without compression ÷ seconds of the row); None if the fastest row is
            the baseline or this row.
        cpu_share_differs: True if other processes disturbed the row and the baseline too differently to rank them.
        reached: The number of cells that reached the target and of all cells, such as ``2/3``; None without a target.
        metrics: The mean over seeds of each metric, by name; None if it is unknown.
        errors: The errors of failed and diverged cells.
        warnings: Facts that a reader must know before trusting the row.
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
    warnings: list[str]

    @property
    def mean_log_speed(self) -> float:
        """The mean of ln(speed-up over the baseline); 0 if ``speed`` is None."""
        return 0.0 if self.speed is None else self.speed.mean

    @property
    def is_added(self) -> bool:
        """True if no scenario asked for this row: a run added its link rate to find a break-even more precisely."""
        return self.cells[0].is_added

    @property
    def algorithm(self) -> str:
        """The algorithm's name, without options."""
        return str(self.fields["algorithm"])

    @property
    def is_replayed(self) -> bool:
        """True if the ranks slept as long as a profile says, instead of computing."""
        return self.cells[0].is_replayed

    @functools.cached_property
    def dilation(self) -> float:
        """How many times slower everything ran while the row was timed; the largest number if it differed."""
        if not self.is_replayed:
            return 1.0
        return max((burst.dilation for cell in self.cells for burst in cell.timings), default=1.0)

    @property
    def compute_text(self) -> str:
        """``measured``, ``replayed`` or ``replayed ×16``, with the dilation of time."""
        if not self.is_replayed:
            return "measured"
        return f"replayed ×{self.dilation:g}" if self.dilation > 1 else "replayed"

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
    cells: Sequence[CellResult],
    *,
    baseline: str | BaselineChoice = DEFAULT_BASELINE,
    target_accuracy: float | None = None,
    target_loss: float | None = None,
) -> list[Row]:
    """Return one row per group of cells that differ only in the seed.

    Args:
        cells: Cells of one or more results directories.
        baseline: The cells with which rows of the same setting and workload are compared.
        target_accuracy: The accuracy, from 0 to 1, that the metrics named ``…_to_target`` refer to; None for none.
        target_loss: The test loss that these metrics refer to if ``target_accuracy`` is None; None for none.

    Returns:
        The rows, sorted by link, slowest first, and within each setting by time, fastest first.
    """
    choice = BaselineChoice.parse(baseline)
    metrics = {
        id(cell): derive_metrics(CompletedCell.of(cell.epochs, target_accuracy, target_loss, long_run=cell.long_run))
        for cell in cells
        if cell.status == "completed"
    }
    groups = [_Group.of(alike, choice, metrics) for alike in _alike(cells)]
    baselines: dict[bytes, list[_Group]] = {}
    dense: dict[bytes, list[_Group]] = {}
    for group in groups:
        if group.is_baseline:
            baselines.setdefault(_comparable(group.cells[0], choice), []).append(group)
        if group.algorithm in DENSE and group.pace.by_seed:
            dense.setdefault(_comparable(group.cells[0]), []).append(group)
    has_target = target_accuracy is not None or target_loss is not None
    rivals = {setting: min(found, key=_Group.seconds) for setting, found in dense.items()}
    same_task = {setting: _by_task(found) for setting, found in baselines.items()}
    rows = []
    for group in groups:
        setting = _comparable(group.cells[0], choice)
        base = same_task.get(setting, {}).get(_task(group)) or _nearest(group, baselines.get(setting, []))
        rows.append(_row(group, base, rivals.get(_comparable(group.cells[0])), has_target=has_target))
    return sorted(rows, key=_setting_then_speed)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """The cells that will form one row, because they differ only in the seed."""

    cells: list[CellResult]
    per_seed: dict[int, dict[str, float]]
    pace: Pace
    is_baseline: bool

    @classmethod
    def of(cls, cells: list[CellResult], baseline: BaselineChoice, derived: Mapping[int, dict[str, float]]) -> "_Group":
        completed = [cell for cell in cells if cell.status == "completed"]
        per_seed = {cell.spec["seed"]: derived[id(cell)] for cell in completed}
        name = "seconds_per_epoch"
        seconds = {seed: metrics[name] for seed, metrics in per_seed.items() if name in metrics}
        is_baseline = baseline.matches(cells[0].spec)
        pace = Pace.of_cells(completed, seconds)
        return cls(cells=cells, per_seed=per_seed, pace=pace, is_baseline=is_baseline)

    @property
    def algorithm(self) -> str:
        return str(self.cells[0].spec["algorithm"]["name"])

    def seconds(self) -> float:
        return statistics.fmean(self.pace.by_seed.values())


def _alike(cells: Sequence[CellResult]) -> list[list[CellResult]]:
    """Return groups of cells that differ only in the seed."""
    groups: dict[tuple[bytes, str | None], list[CellResult]] = {}
    for cell in cells:
        groups.setdefault((alike_key(cell.spec), cell.directory), []).append(cell)
    return list(groups.values())


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


def _row(group: _Group, baseline: _Group | None, dense: _Group | None, *, has_target: bool) -> Row:
    baseline_per_seed = {} if baseline is None else baseline.per_seed
    per_seed = {
        seed: own | (compare_metrics(own, baseline_per_seed[seed]) if seed in baseline_per_seed else {})
        for seed, own in group.per_seed.items()
    }
    speed = None if baseline is None else group.pace.speed_over(baseline.pace)
    dense_speed = None
    if dense is not None and dense is not group and dense is not baseline:
        dense_speed = group.pace.speed_over(dense.pace)
    completed = list(per_seed.values())
    known = set[str]().union(*completed)
    num_reached = sum("seconds_to_target" in metrics for metrics in completed)
    metrics = {
        metric.name: _mean(metric, completed, num_cells=len(group.cells)) if metric.name in known else None
        for metric in METRICS.values()
    }
    metrics["speedup"] = None if speed is None else Estimate.exactly(1.0) if baseline is group else speed.estimate()
    metrics["speedup_over_dense"] = None if dense_speed is None else dense_speed.estimate()
    metrics["seconds_per_epoch"] = _with_rounds(metrics["seconds_per_epoch"], group.pace.log_seconds)
    metrics["compute_utilization"] = _with_rounds(metrics["compute_utilization"], group.pace.log_utilization)
    return Row(
        fields=_row_fields(group.cells),
        cells=tuple(group.cells),
        per_seed=per_seed,
        baseline_per_seed=baseline_per_seed,
        is_baseline=group.is_baseline,
        is_dense=group is dense,
        pace=group.pace,
        speed=None if baseline is group else speed,
        dense_speed=dense_speed,
        cpu_share_differs=baseline is not None and group.pace.disturbed_differently(baseline.pace),
        reached=f"{num_reached}/{len(group.cells)}" if has_target else None,
        metrics=metrics,
        errors=[f"{cell.status}: {cell.error}" for cell in group.cells if cell.error],
        warnings=[
            *_pairing_warnings(completed, baseline),
            *_session_warnings(group, baseline),
            *cell_warnings(group.cells),
            *emulator_warnings(group.cells, [] if baseline is None else baseline.cells),
            *precision_warnings(group.cells, None if baseline is group else metrics["speedup"]),
        ],
    )


def _with_rounds(mean: Estimate | None, of_rounds: LogRatio | None) -> Estimate | None:
    """Return a row's mean of a metric; if a session timed the row, with the interval from the session's rounds.

    Args:
        mean: The mean over seeds with its interval, or None, which is returned as it is. Only the interval is replaced.
        of_rounds: The logarithm of the metric, mean over rounds. If it is None, ``mean`` is returned as it is.
    """
    if mean is None or of_rounds is None:
        return mean
    rounds = of_rounds.estimate()
    low = None if rounds.low is None else mean.mean * rounds.low / rounds.mean
    high = None if rounds.high is None else mean.mean * rounds.high / rounds.mean
    return Estimate(mean=mean.mean, low=low, high=high)


def _mean(metric: Metric, completed: Sequence[Mapping[str, float]], *, num_cells: int) -> Estimate | None:
    """Return the mean of a metric over a row's seeds; None if no completed cell has a value.

    If only some cells have a value, the metric decides:

    - With ``every_seed``, the mean is None if any cell has no value, even a failed or unfinished one.
    - With ``compare``, the mean is over the cells with a value. A cell has none if the baseline did not complete the
      same seed.
    - For all other metrics, the mean is None if any completed cell has no value.

    Args:
        metric: The metric.
        completed: The metrics of each completed cell by name.
        num_cells: The number of the row's cells, completed or not.
    """
    known = [metrics[metric.name] for metrics in completed if metric.name in metrics]
    # A cell that did not complete has not reached the target accuracy either.
    num_expected = num_cells if metric.every_seed else len(known) if metric.compare else len(completed)
    return Estimate.of(known) if known and len(known) == num_expected else None


def _pairing_warnings(completed: Sequence[Mapping[str, float]], baseline: _Group | None) -> list[str]:
    num_paired = sum("accuracy_difference" in metrics for metrics in completed)
    if baseline is None or num_paired == len(completed):
        return []
    return [f"compared with the baseline by {num_paired} of its {len(completed)} seeds: the baseline has no others"]


def _session_warnings(group: _Group, baseline: _Group | None) -> list[str]:
    if baseline is None or not group.pace.timed_apart_from(baseline.pace):
        return []
    return ["timed in no round together with the baseline: its speed-up contains what changed between their sessions"]


def _comparable(cell: CellResult, baseline: BaselineChoice | None = None) -> bytes:
    """Return a key that is equal for cells that may be compared, because they have the same setting and workload.

    Fields by whose values ``baseline`` chooses the baseline's cells are not part of the key: other cells may differ
    from the baseline in them.
    """
    fixed = {} if baseline is None else baseline.fixed
    setting = [cell.spec.get(name) for name in _SETTING if name not in fixed]
    task = {**LATER_FIELDS, **cell.spec["task"]}
    return to_json([cell.directory, cell.is_added, setting, [task[name] for name in _WORKLOAD if name not in fixed]])


def _task(group: _Group) -> bytes:
    return to_json(group.cells[0].spec["task"])


def _by_task(groups: Sequence[_Group]) -> dict[bytes, _Group]:
    """Return the groups of cells by their task as JSON; of several groups with the same task, only the first."""
    return {_task(group): group for group in reversed(groups)}


def _nearest(group: _Group, baselines: Sequence[_Group]) -> _Group | None:
    """Return the baseline whose task has the most fields in common with that of ``group``; None if there is none.

    A group has the cells of one row. There are several baselines if the scenario varies the task, for example its
    learning rate.
    """
    task = group.cells[0].spec["task"]
    shared = {id(one): sum(one.cells[0].spec["task"].get(k) == v for k, v in task.items()) for one in baselines}
    return max(baselines, key=lambda one: shared[id(one)], default=None)


def _setting_then_speed(row: Row) -> tuple[object, ...]:
    seconds = row.metrics["seconds_per_epoch"]
    names = [name for name in (*_SETTING, *_WORKLOAD) if name not in ("timing", "link")]
    setting = tuple(str(row.fields.get(name)).rjust(12) for name in names)
    link = (_rate(row), str(row.fields.get("link")))
    return (setting[:1], link, setting[1:], math.inf if seconds is None else seconds.mean)


def _rate(row: Row) -> tuple[float, ...]:
    """Return a key that sorts links by rate, slowest first; links without a limit come last."""
    link = LinkMap.parse(row.cells[0].spec["link"])
    return link.speed if link.shaped else (math.inf,)
