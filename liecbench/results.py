"""Results: the ledgers of one or more directories folded into cells, and cells into rows of a comparison."""

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from pydantic import ValidationError

from liecbench.cell import Cell
from liecbench.document import nearest
from liecbench.errors import LiecbenchError, NothingToCompareError
from liecbench.link import Link
from liecbench.measured_link import WARNING_DEVIATION, recorded_misses
from liecbench.record import End, Epoch, Record, Start, read

SCENARIO_NAME: Final = "scenario.yaml"
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
)
DEFAULT_BASELINE: Final = "ddp"
# What two rows must share for one to be the other's baseline, besides the task's own fields.
_SETTING: Final = ("workers", "link", "threads", "backend", "device", "enforcement", "timing")
_WORKLOAD: Final = ("dataset", "model", "batch_size", "precision")


@dataclass(slots=True, kw_only=True)
class CellResult:
    """What the ledger says of one cell; epochs are in order, each once, the latest attempt's."""

    id: str
    spec: dict[str, Any]
    environment: dict[str, Any]
    attempt: int
    epochs: list[Epoch] = field(default_factory=list)
    status: Literal["completed", "failed", "diverged", "unfinished"] = "unfinished"
    error: str | None = None
    directory: str | None = None  # where two results directories hold the same cell, which one this is of


def fold(records: Iterable[Record]) -> dict[str, CellResult]:
    """Records into cells, by id, in the order in which they began."""
    cells: dict[str, CellResult] = {}
    for record in records:
        match record:
            case Start():
                before = cells.get(record.cell)
                epochs = [epoch for epoch in before.epochs if epoch.epoch <= record.epochs_done] if before else []
                cells[record.cell] = CellResult(
                    id=record.cell,
                    spec=record.spec,
                    environment=record.environment,
                    attempt=record.attempt,
                    epochs=epochs,
                )
            case Epoch() if record.cell in cells:
                cells[record.cell].epochs.append(record)
            case End() if record.cell in cells and (record.status != "completed" or cells[record.cell].epochs):
                cells[record.cell].status, cells[record.cell].error = record.status, record.error
    return cells


def load(directories: Sequence[Path]) -> list[CellResult]:
    """The cells of several results directories.

    Of a cell that one directory completed, what others hold unfinished is left out; where several completed it, all
    are kept and told apart by directory.
    """
    folded = {directory: fold(read(directory)) for directory in directories}
    for directory, found in folded.items():
        for cell in found.values():
            _check_spec(directory, cell)
    completed = Counter(c.id for found in folded.values() for c in found.values() if c.status == "completed")
    if any(count > 1 for count in completed.values()):
        for directory, found in folded.items():
            for cell in found.values():
                cell.directory = str(directory)
    cells = [c for found in folded.values() for c in found.values() if c.status == "completed" or not completed[c.id]]
    if not cells:
        names = ", ".join(str(directory) for directory in directories)
        raise NothingToCompareError(f"{names}: no cell has begun", "let `liecbench run` finish an epoch")
    return cells


def _check_spec(directory: Path, cell: CellResult) -> None:
    try:
        Cell.from_spec(cell.spec)
    except ValidationError as error:
        message = f"{directory}: cell {cell.id}: {error.errors()[0]['msg']} in its spec"
        raise LiecbenchError(message, "use the liecbench that wrote it, or remove the cell's lines") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over seeds and its 95 % interval (Student's t); no bounds for one seed."""

    mean: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Estimate":
        """The estimate from one value a seed."""
        mean = statistics.fmean(values)
        if len(values) < 2:
            return cls(mean=mean, low=None, high=None)
        from scipy.special import stdtrit

        half = float(stdtrit(len(values) - 1, 0.975)) * statistics.stdev(values) / math.sqrt(len(values))
        return cls(mean=mean, low=mean - half, high=mean + half)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Cells that differ in nothing but the seed."""

    fields: dict[str, Any]
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
    groups: dict[tuple[tuple[str, str], ...], list[CellResult]] = {}
    for cell in cells:
        key = tuple((name, repr(value)) for name, value in _row_fields(cell).items())
        groups.setdefault(key, []).append(cell)
    bases = [group for group in groups.values() if group[0].spec["algorithm"]["name"] == baseline]
    rows = [_row(group, _baseline_of(group, bases), target) for group in groups.values()]
    return sorted(rows, key=_setting_then_speed)


def check_baseline(cells: Sequence[CellResult], baseline: str) -> None:
    """LiecbenchError where no cell has this algorithm."""
    names = {cell.spec["algorithm"]["name"] for cell in cells}
    if baseline not in names:
        raise LiecbenchError(f"--baseline {baseline}: no cell has this algorithm", nearest(baseline, names))


def grouped(rows: Sequence[Row], by: str) -> list[Row]:
    """Rows with the same value of a field together, groups and rows in the order in which they came."""
    known = {name for row in rows for name in row.fields}
    if by not in known:
        raise LiecbenchError(f"--by {by}: there is no such field", nearest(by, known))
    order = list(dict.fromkeys(str(row.fields.get(by)) for row in rows))
    return sorted(rows, key=lambda row: 0 if by == "algorithm" else order.index(str(row.fields.get(by))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a scenario says of its comparison."""

    baseline: str = DEFAULT_BASELINE
    target_accuracy: float | None = None


def settings(directory: Path) -> Settings:
    """From the scenario that stands in a results directory; the defaults where there is none."""
    path = directory / SCENARIO_NAME
    if not path.exists():
        return Settings()
    try:
        scenario = yaml.safe_load(path.read_text(encoding="utf-8"))
        target = scenario.get("target_accuracy")
        return Settings(baseline=str(scenario["baseline"]), target_accuracy=None if target is None else float(target))
    except (OSError, ValueError, yaml.YAMLError, LookupError, TypeError, AttributeError, RecursionError):
        message = f"{path}: not the scenario that `run` wrote"
        raise LiecbenchError(message, "remove it to compare with the defaults, or run the scenario again") from None


def varying_fields(rows: Sequence[Row]) -> list[str]:
    """Fields that differ between rows that have them; what is the same everywhere tells nothing apart."""
    names = list(dict.fromkeys(name for row in rows for name in row.fields))
    values = {name: {repr(row.fields[name]) for row in rows if row.fields.get(name) is not None} for name in names}
    return [name for name in names if len(values[name]) > 1]


def flat_fields(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A cell's fields without nesting: bare names, and their options as fields of their own."""
    fields: dict[str, Any] = {}
    for name, value in {**spec, **spec["task"]}.items():
        if name == "task":
            continue
        if isinstance(value, dict) and "name" in value:
            fields[name] = value["name"]
            for option, setting in value.items():
                if option != "name":
                    fields[option if option not in spec and option not in fields else f"{name}_{option}"] = setting
        else:
            fields[name] = str(Link.parse(value)) if name == "link" else value
    return fields


def _row_fields(cell: CellResult) -> dict[str, Any]:
    fields = {name: value for name, value in flat_fields(cell.spec).items() if name != "seed"}
    return fields if cell.directory is None else {**fields, "results": cell.directory}


def _row(group: list[CellResult], base: list[CellResult] | None, target: float | None) -> Row:
    done = [cell for cell in group if cell.status == "completed"]
    values = [_metrics(cell, target) for cell in done]
    for cell, metrics in zip(done, values, strict=True):
        twin = next((b for b in base or () if b.spec["seed"] == cell.spec["seed"] and b.status == "completed"), None)
        if twin is not None:
            theirs = _metrics(twin, target)
            if "seconds_per_epoch" in theirs and "seconds_per_epoch" in metrics:
                metrics["speedup"] = theirs["seconds_per_epoch"] / metrics["seconds_per_epoch"]
            if metrics["payload_bytes_per_epoch"]:
                metrics["bytes_ratio"] = theirs["payload_bytes_per_epoch"] / metrics["payload_bytes_per_epoch"]
    estimates: dict[str, Estimate | None] = {}
    for name in METRICS:
        known = [metrics[name] for metrics in values if name in metrics]
        # A seed that failed has missed the target, too.
        expected = len(group) if name.endswith("_to_target") else len(done)
        estimates[name] = Estimate.of(known) if known and len(known) == expected else None
    num_reached = sum("seconds_to_target" in metrics for metrics in values)
    return Row(
        fields=_row_fields(group[0]),
        cells=len(group),
        failed=sum(cell.status in ("failed", "diverged") for cell in group),
        unfinished=sum(cell.status == "unfinished" for cell in group),
        reached=None if target is None else f"{num_reached}/{len(group)}",
        metrics=estimates,
        errors=[f"{cell.status}: {cell.error}" for cell in group if cell.error],
        warnings=_warnings(group),
    )


def _warnings(group: list[CellResult]) -> list[str]:
    """What a reader of the row must know: an unheld link, and periodic averaging that a short run never came to."""
    return [*_link_warnings(group), *_averaging_warnings(group)]


def _link_warnings(group: list[CellResult]) -> list[str]:
    off = list(dict.fromkeys(text for cell in group for text in recorded_misses(cell.environment)))
    more = f" and {len(off) - 3} more" if len(off) > 3 else ""
    warnings = [f"its link is off by more than {WARNING_DEVIATION:.0%}: {'; '.join(off[:3])}{more}"] if off else []
    if group[0].spec.get("enforcement") == "process" and Link.parse(group[0].spec["link"]).shaped:
        warnings.append("paced by the processes, not enforced by the kernel: its times are estimated")
    return warnings


def _averaging_warnings(group: list[CellResult]) -> list[str]:
    period = group[0].spec["algorithm"].get("average_period", 1)
    steps = [sum(epoch.steps for epoch in cell.epochs) for cell in group if cell.status == "completed"]
    if not steps or max(steps) >= period:
        return []
    return [f"its {max(steps)} steps are fewer than average_period {period}: no averaging is in its time and bytes"]


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
        metrics["exposed_seconds_per_epoch"] = sum(epoch.exposed_seconds for epoch in epochs) / whole_epochs
    if wire:
        metrics["wire_bytes_per_epoch"] = statistics.fmean(wire)
    hit = next((i for i, e in enumerate(epochs) if target is not None and e.test_accuracy >= target), None)
    if hit is not None:
        metrics["seconds_to_target"] = sum(epoch.train_seconds for epoch in epochs[: hit + 1])
        metrics["bytes_to_target"] = sum(payload[: hit + 1])
    return metrics


def _per_rank(bytes_by_direction: dict[str, list[int]]) -> float:
    sent, received = bytes_by_direction["sent"], bytes_by_direction["received"]
    return statistics.fmean(s + r for s, r in zip(sent, received, strict=True))


def _baseline_of(group: list[CellResult], bases: list[list[CellResult]]) -> list[CellResult] | None:
    """The baseline cells of the same setting and workload; with a swept task, those that share most of it."""
    mine = group[0].spec
    alike = [
        base
        for base in bases
        if base[0].directory == group[0].directory
        and all(base[0].spec.get(name) == mine.get(name) for name in _SETTING)
        and all(base[0].spec["task"][name] == mine["task"][name] for name in _WORKLOAD)
    ]
    return max(
        alike,
        key=lambda base: sum(base[0].spec["task"][k] == v for k, v in mine["task"].items()),
        default=None,
    )


def _setting_then_speed(row: Row) -> tuple[object, ...]:
    seconds = row.metrics["seconds_per_epoch"]
    setting = tuple(str(row.fields.get(name)).rjust(12) for name in (*_SETTING, *_WORKLOAD))
    return (*setting, math.inf if seconds is None else seconds.mean)
