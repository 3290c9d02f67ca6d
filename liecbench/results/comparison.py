"""Results: cells summarised into the rows of a comparison."""

import functools
import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from liecbench.errors import LiecbenchError, did_you_mean
from liecbench.network.link_map import LinkMap
from liecbench.results.cells import CellResult
from liecbench.results.directory import DEFAULT_BASELINE
from liecbench.results.gpu_metrics import METRICS as GPU_METRICS
from liecbench.results.gpu_metrics import gpu_metrics
from liecbench.results.warnings import caveats

METRICS: Final = (
    "test_accuracy",
    "train_loss",
    "seconds_per_epoch",
    "exposed_seconds_per_epoch",
    "payload_bytes_per_epoch",
    "wire_bytes_per_epoch",
    "seconds_to_target",
    "bytes_to_target",
    "speedup",
    "bytes_ratio",
    "accuracy_difference",
    "compute_seconds_per_epoch",
    "compress_seconds_per_epoch",
    "communicate_seconds_per_epoch",
    *GPU_METRICS,
)
# What two rows must share for one to be the other's baseline, besides the task's own fields.
_SETTING: Final = ("workers", "link", "threads", "backend", "device", "enforcement", "timing")
_WORKLOAD: Final = ("dataset", "model", "batch_size", "partition", "precision")

# What changes no accuracy: a tuned field has one best value for all of these.
_NOT_TUNED_FOR: Final = frozenset({"seed", "link", "timing", "enforcement"})
# Metrics that compare a seed with the baseline's.
_PAIRED: Final = ("speedup", "bytes_ratio", "accuracy_difference")
# Fields of a task that came later, which a cell's spec leaves out at their default.
_LATER: Final = {"partition": "iid"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over seeds and its interval (Student's t), of 95 % unless asked otherwise; no bounds for one seed."""

    mean: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, values: Sequence[float], tail: float = 0.025) -> "Estimate":
        """The estimate from one value a seed; each bound is wrong with the probability ``tail``."""
        mean, freedom = statistics.fmean(values), len(values) - 1
        if not freedom:
            return cls(mean=mean, low=None, high=None)
        variance = math.fsum((value - mean) ** 2 for value in values) / freedom
        half = _quantile(freedom, tail) * math.sqrt(variance / len(values))
        return cls(mean=mean, low=mean - half, high=mean + half)


@functools.cache
def _quantile(freedom: int, tail: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 1 - tail))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Cells that differ in nothing but the seed: these ``members``, and by seed the metrics of those completed.

    ``base_per_seed`` are those of the baseline that it is compared with; none where there is none.
    """

    fields: dict[str, Any]
    members: tuple[CellResult, ...]
    base_per_seed: dict[int, dict[str, float]]
    per_seed: dict[int, dict[str, float]]
    cells: int
    failed: int
    unfinished: int
    reached: str | None
    metrics: dict[str, Estimate | None]
    errors: list[str]
    warnings: list[str]

    @property
    def completed(self) -> int:
        """How many of its cells have completed."""
        return self.cells - self.failed - self.unfinished


def summarise(
    cells: Sequence[CellResult], *, baseline: str = DEFAULT_BASELINE, target: float | None = None
) -> list[Row]:
    """Rows, fastest first within each setting; speed-up and bytes ratio are baseline ÷ row."""
    groups: dict[tuple[str, str | None], list[CellResult]] = {}
    for cell in cells:
        alike = json.dumps({name: value for name, value in cell.spec.items() if name != "seed"})
        groups.setdefault((alike, cell.directory), []).append(cell)
    bases: dict[str, list[list[CellResult]]] = {}
    for group in groups.values():
        if group[0].spec["algorithm"]["name"] == baseline:
            bases.setdefault(_comparable(group[0]), []).append(group)
    metrics = {id(cell): _metrics(cell, target) for cell in cells if cell.status == "completed"}
    rows = []
    for group in groups.values():
        base = _nearest(group[0], bases.get(_comparable(group[0]), []))
        rows.append(_row(group, base, metrics, target))
    return sorted(rows, key=_setting_then_speed)


def at_best(cells: Sequence[CellResult], field: str) -> list[CellResult]:
    """Of cells that differ in a tuned field alone those with its best value: the highest accuracy, mean over seeds."""
    known = {name for cell in cells for name in flat_fields(cell.spec)} - {"seed"}
    if field not in known:
        raise LiecbenchError(f"--best {field}: there is no such field", did_you_mean(field, known))
    alike: dict[str, dict[str, list[CellResult]]] = {}
    for cell in cells:
        fields = {name: text for name, text in flat_fields(cell.spec).items() if name not in _NOT_TUNED_FOR}
        value = str(fields.pop(field, None))
        alike.setdefault(json.dumps([fields, cell.directory]), {}).setdefault(value, []).append(cell)
    return [cell for values in alike.values() for cell in max(values.values(), key=_mean_accuracy)]


def _mean_accuracy(cells: Sequence[CellResult]) -> float:
    """Of the last epochs; a value with which a seed failed is worse than any with which none did."""
    reached = [cell.epochs[-1].test_accuracy for cell in cells if cell.status == "completed"]
    failed = sum(cell.status in ("failed", "diverged") for cell in cells)
    return statistics.fmean(reached) - failed if reached else -math.inf


def check_baseline(cells: Sequence[CellResult], baseline: str) -> None:
    """LiecbenchError where no cell has this algorithm."""
    names = {cell.spec["algorithm"]["name"] for cell in cells}
    if baseline not in names:
        raise LiecbenchError(f"--baseline {baseline}: no cell has this algorithm", did_you_mean(baseline, names))


def grouped(rows: Sequence[Row], by: str) -> list[Row]:
    """Rows with the same value of a field together, groups and rows in the order in which they came."""
    known = {name for row in rows for name in row.fields}
    if by not in known:
        raise LiecbenchError(f"--by {by}: there is no such field", did_you_mean(by, known))
    order = list(dict.fromkeys(str(row.fields.get(by)) for row in rows))
    return sorted(rows, key=lambda row: 0 if by == "algorithm" else order.index(str(row.fields.get(by))))


def varying_fields(rows: Sequence[Row]) -> list[str]:
    """Fields that differ between rows that have them; what is the same everywhere tells nothing apart."""
    names = list(dict.fromkeys(name for row in rows for name in row.fields))
    return [name for name in names if _varies([row for row in rows if name in row.fields], name)]


def _varies(rows: Sequence[Row], name: str) -> bool:
    """Whether these have several values of a field, or one algorithm has it set in some rows and null in others."""
    values = {repr(row.fields[name]) for row in rows if row.fields[name] is not None}
    some, none = ({r.fields["algorithm"] for r in rows if (r.fields[name] is None) == null} for null in (False, True))
    return len(values) > 1 or not some.isdisjoint(none)


def flat_fields(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A cell's fields without nesting: bare names, and their options as fields of their own."""
    fields: dict[str, Any] = {}
    own = {**spec, **_LATER, **spec["task"]}
    for name, value in own.items():
        if name == "task":
            continue
        if isinstance(value, dict) and "name" in value:
            fields[name] = value["name"]
            for option, setting in value.items():
                if option != "name":
                    fields[option if option not in own and option not in fields else f"{name}_{option}"] = setting
        elif name == "partition" and isinstance(value, dict):
            fields[name] = " ".join(f"{kind} {value[kind]}" for kind in value)
        else:
            fields[name] = _link_text(json.dumps(value)) if name == "link" else value
    return fields


@functools.cache
def _link_text(spec: str) -> str:
    return str(LinkMap.parse(json.loads(spec)))


def _row_fields(group: list[CellResult]) -> dict[str, Any]:
    cell = group[0]
    fields = {name: value for name, value in flat_fields(cell.spec).items() if name != "seed"}
    epochs = [epoch for cell in group for epoch in cell.epochs]
    if fields["timing"] == "composed" and epochs and not any(epoch.composed for epoch in epochs):
        fields["timing"] = "trained"
    return fields if cell.directory is None else {**fields, "results": cell.directory}


def _row(
    group: list[CellResult],
    base: list[CellResult],
    measured: Mapping[int, dict[str, float]],
    target: float | None,
) -> Row:
    done = [cell for cell in group if cell.status == "completed"]
    theirs = {twin.spec["seed"]: measured[id(twin)] for twin in base if twin.status == "completed"}
    values = [{**measured[id(cell)], **_ratios(measured[id(cell)], theirs.get(cell.spec["seed"]))} for cell in done]
    estimates: dict[str, Estimate | None] = {}
    for name in METRICS:
        known = [metrics[name] for metrics in values if name in metrics]
        # A seed that failed has missed the target, too.
        expected = len(group) if name.endswith("_to_target") else len(known) if name in _PAIRED else len(done)
        estimates[name] = Estimate.of(known) if known and len(known) == expected else None
    num_reached = sum("seconds_to_target" in metrics for metrics in values)
    return Row(
        fields=_row_fields(group),
        members=tuple(group),
        base_per_seed=theirs,
        per_seed=dict(zip((cell.spec["seed"] for cell in done), values, strict=True)),
        cells=len(group),
        failed=sum(cell.status in ("failed", "diverged") for cell in group),
        unfinished=sum(cell.status == "unfinished" for cell in group),
        reached=None if target is None else f"{num_reached}/{len(group)}",
        metrics=estimates,
        errors=[f"{cell.status}: {cell.error}" for cell in group if cell.error],
        warnings=[*_pairing_warnings(values, base), *caveats(group)],
    )


def _ratios(mine: dict[str, float], theirs: dict[str, float] | None) -> dict[str, float]:
    """Baseline ÷ row, and what the row has more of accuracy, by the same seed."""
    ratios = {}
    if theirs is not None:
        ratios["accuracy_difference"] = mine["test_accuracy"] - theirs["test_accuracy"]
        if "seconds_per_epoch" in theirs and "seconds_per_epoch" in mine:
            ratios["speedup"] = theirs["seconds_per_epoch"] / mine["seconds_per_epoch"]
        if mine["payload_bytes_per_epoch"]:
            ratios["bytes_ratio"] = theirs["payload_bytes_per_epoch"] / mine["payload_bytes_per_epoch"]
    return ratios


def _pairing_warnings(values: list[dict[str, float]], base: list[CellResult]) -> list[str]:
    paired = sum("accuracy_difference" in metrics for metrics in values)
    if not base or paired == len(values):
        return []
    return [f"compared with the baseline by {paired} of its {len(values)} seeds: the baseline has no others"]


def _metrics(cell: CellResult, target: float | None) -> dict[str, float]:
    epochs, last = cell.epochs, cell.epochs[-1]
    payload = [_per_rank(epoch.payload_bytes) for epoch in epochs]
    wire = [_per_rank(epoch.wire_bytes) for epoch in epochs if epoch.wire_bytes is not None]
    metrics = {
        "test_accuracy": last.test_accuracy,
        "train_loss": last.train_loss,
        "payload_bytes_per_epoch": statistics.fmean(payload),
    }
    timed = sum(epoch.timed_steps for epoch in epochs)
    if timed:
        # Steps that were warm-up count as much as the others do.
        whole_epochs = timed / last.steps
        metrics["seconds_per_epoch"] = sum(epoch.train_seconds for epoch in epochs) / whole_epochs
        for name in ("exposed", "compute", "compress", "communicate"):
            seconds = sum(getattr(epoch, f"{name}_seconds") for epoch in epochs)
            metrics[f"{name}_seconds_per_epoch"] = seconds / whole_epochs
    if wire:
        metrics["wire_bytes_per_epoch"] = statistics.fmean(wire)
    hit = next((i for i, e in enumerate(epochs) if target is not None and e.test_accuracy >= target), None)
    if hit is not None:
        metrics["seconds_to_target"] = sum(epoch.train_seconds for epoch in epochs[: hit + 1])
        metrics["bytes_to_target"] = sum(payload[: hit + 1])
    return metrics | gpu_metrics(epochs, None if hit is None else hit + 1)


def _per_rank(bytes_by_direction: dict[str, list[int]]) -> float:
    sent, received = bytes_by_direction["sent"], bytes_by_direction["received"]
    return statistics.fmean(s + r for s, r in zip(sent, received, strict=True))


def _comparable(cell: CellResult) -> str:
    """What a cell shares with those that can be its baseline: directory, setting and workload."""
    setting = [cell.spec.get(name) for name in _SETTING]
    task = {**_LATER, **cell.spec["task"]}
    return json.dumps([cell.directory, setting, [task[name] for name in _WORKLOAD]], sort_keys=True)


def _nearest(cell: CellResult, bases: list[list[CellResult]]) -> list[CellResult]:
    """Of several baselines the one that shares most of a swept task."""
    task = cell.spec["task"]
    return max(bases, key=lambda base: sum(base[0].spec["task"][k] == v for k, v in task.items()), default=[])


def _setting_then_speed(row: Row) -> tuple[object, ...]:
    seconds = row.metrics["seconds_per_epoch"]
    names = [name for name in (*_SETTING, *_WORKLOAD) if name != "timing"]
    setting = tuple(str(row.fields.get(name)).rjust(12) for name in names)
    return (*setting, math.inf if seconds is None else seconds.mean)
