"""The table of all metrics: an entry adds a metric to ``--metric``, to every format and to the HTML page."""

import statistics
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from liecbench.errors import LiecbenchError, did_you_mean
from liecbench.results import gpu_metrics
from liecbench.results.metric_row import Compare, CompletedCell, Derive, Metric
from liecbench.results.units import (
    BYTES,
    EPOCHS,
    FRACTION,
    HERTZ,
    JOULES,
    LOSS,
    POINTS,
    RATIO,
    RATIO_RANGE,
    SECONDS,
    WATTS,
    Unit,
)


def _seconds(field: str) -> Derive:
    return lambda cell: cell.seconds_per_epoch(field)


def _ratio(name: str) -> Compare:
    """Return a function that divides the baseline's value of metric ``name`` by the cell's; None if one is unknown."""
    return lambda cell, baseline: baseline[name] / cell[name] if name in baseline and cell.get(name) else None


def _of_the_row(_cell: Mapping[str, float], _baseline: Mapping[str, float]) -> None:
    """Return None: a speed-up has no value per cell, because it is computed from the times of all cells of a row."""


def _wire_bytes(cell: CompletedCell) -> float | None:
    known = [wire for epoch in cell.costly_epochs if (wire := epoch.wire_bytes_per_rank) is not None]
    return statistics.fmean(known) if known else None


def _memory(cell: CompletedCell) -> float | None:
    known = [size for epoch in cell.epochs if (size := epoch.memory_bytes) is not None]
    return float(max(known)) if known else None


def _compute_utilization(cell: CompletedCell) -> float | None:
    """Return the share of an epoch's time that is computing; None if the records do not divide the time into parts."""
    names = ("compute_seconds", "train_seconds", "other_seconds")
    compute, whole, other = (cell.seconds_per_epoch(name) for name in names)
    return None if compute is None or other is None or not whole else compute / whole


def _gpu_mean(
    name: str,
    heading: str,
    unit: Unit,
    field: str,
    *,
    better: Literal["higher", "lower"] = "lower",
    shown: Literal["table", "on request"] = "on request",
    hide_first: int | None = None,
) -> Metric:
    """Return a metric: the mean of a field of ``Epoch.gpu`` over the epochs that have the field."""
    return Metric(
        name=name,
        heading=heading,
        unit=unit,
        derive=lambda cell: gpu_metrics.mean(cell.epochs, field),
        better=better,
        shown=shown,
        exported_with=name,
        of_gpus=True,
        hide_first=hide_first,
    )


def _throttling_reason(reason: str) -> Metric:
    """Return a metric: the share of samples in which the GPUs' clocks were held back for ``reason``."""
    name = f"throttled_{reason}_share"
    return Metric(
        name=name,
        heading=gpu_metrics.reason_text(name),
        unit=FRACTION,
        derive=lambda cell: gpu_metrics.throttling_shares(cell.epochs).get(name),
        exported_with=name,
        zero_is_missing=True,
        of_gpus=True,
    )


_ROWS: Final = (
    Metric(
        name="test_accuracy",
        heading="accuracy",
        unit=FRACTION,
        derive=lambda cell: cell.epochs[-1].test_accuracy,
        better="higher",
        shown="table",
    ),
    Metric(
        name="seconds_per_epoch",
        heading="s/epoch",
        unit=SECONDS,
        derive=_seconds("train_seconds"),
        shown="table",
    ),
    Metric(
        name="exposed_seconds_per_epoch",
        heading="exposed",
        unit=SECONDS,
        derive=_seconds("exposed_seconds"),
        shown="table",
        hide_first=5,
    ),
    Metric(
        name="payload_bytes_per_epoch",
        heading="payload",
        unit=BYTES,
        derive=lambda cell: statistics.fmean(epoch.payload_bytes_per_rank for epoch in cell.costly_epochs),
        shown="table",
        hide_first=4,
    ),
    Metric(
        name="wire_bytes_per_epoch",
        heading="wire",
        unit=BYTES,
        derive=_wire_bytes,
        shown="table",
        hide_first=3,
    ),
    _gpu_mean("joules_per_epoch", "J/epoch", JOULES, "energy_joules", shown="table", hide_first=2),
    _gpu_mean("gpu_utilisation", "GPU use", FRACTION, "utilisation", better="higher", shown="table", hide_first=1),
    Metric(
        name="bytes_ratio",
        heading="bytes÷",
        unit=RATIO,
        compare=_ratio("payload_bytes_per_epoch"),
        better="higher",
        shown="table",
        hide_first=6,
    ),
    Metric(
        name="speedup",
        heading="speed-up",
        unit=RATIO_RANGE,
        compare=_ratio("seconds_per_epoch"),
        better="higher",
        shown="table",
        needs_interval=True,
    ),
    Metric(
        name="speedup_over_dense",
        heading="vs dense",
        unit=RATIO_RANGE,
        compare=_of_the_row,
        better="higher",
        shown="table",
        needs_interval=True,
    ),
    Metric(
        name="accuracy_difference",
        heading="accuracy Δ",
        unit=POINTS,
        compare=lambda cell, baseline: cell["test_accuracy"] - baseline["test_accuracy"],
        better="higher",
        shown="wide",
        needs_interval=True,
    ),
    Metric(
        name="test_loss",
        heading="test loss",
        unit=LOSS,
        derive=lambda cell: cell.epochs[-1].test_loss,
    ),
    Metric(
        name="train_loss",
        heading="train loss",
        unit=LOSS,
        derive=lambda cell: cell.epochs[-1].train_loss,
        shown="wide",
    ),
    Metric(
        name="seconds_to_target",
        heading="s to target",
        unit=SECONDS,
        derive=lambda cell: cell.to_target(lambda epoch: epoch.train_seconds if epoch.timed_steps else None),
        shown="wide",
        every_seed=True,
    ),
    Metric(
        name="epochs_to_target",
        heading="epochs to target",
        unit=EPOCHS,
        derive=lambda cell: cell.epochs_to_target,
        shown="wide",
        every_seed=True,
    ),
    Metric(
        name="bytes_to_target",
        heading="B to target",
        unit=BYTES,
        derive=lambda cell: cell.to_target(lambda epoch: epoch.payload_bytes_per_rank),
        shown="wide",
        every_seed=True,
    ),
    Metric(
        name="joules_to_target",
        heading="J to target",
        unit=JOULES,
        derive=lambda cell: cell.to_target(lambda epoch: gpu_metrics.joules([epoch])),
        shown="wide",
        every_seed=True,
        exported_with="joules_per_epoch",
        of_gpus=True,
    ),
    Metric(
        name="compute_seconds_per_epoch",
        heading="compute",
        unit=SECONDS,
        derive=_seconds("compute_seconds"),
    ),
    Metric(
        name="compress_seconds_per_epoch",
        heading="compress",
        unit=SECONDS,
        derive=_seconds("compress_seconds"),
    ),
    Metric(
        name="wire_seconds_per_epoch",
        heading="exposed wire",
        unit=SECONDS,
        derive=_seconds("exposed_wire_seconds"),
    ),
    Metric(
        name="exposed_compress_seconds_per_epoch",
        heading="exposed compress",
        unit=SECONDS,
        derive=_seconds("exposed_compress_seconds"),
    ),
    Metric(
        name="other_seconds_per_epoch",
        heading="other",
        unit=SECONDS,
        derive=_seconds("other_seconds"),
    ),
    Metric(
        name="compute_utilization",
        heading="compute use",
        unit=FRACTION,
        derive=_compute_utilization,
        better="higher",
        shown="wide",
    ),
    Metric(
        name="memory_bytes",
        heading="memories",
        unit=BYTES,
        derive=_memory,
        shown_from=0.0,
        hide_first=0,
    ),
    Metric(
        name="peak_memory_bytes",
        heading="peak memory",
        unit=BYTES,
        derive=lambda cell: float(max(epoch.peak_memory_bytes for epoch in cell.epochs)),
        shown_from=0.1,
        hide_first=0,
    ),
    Metric(
        name="communicate_seconds_per_epoch",
        heading="communicate",
        unit=SECONDS,
        derive=_seconds("communicate_seconds"),
    ),
    Metric(
        name="gpu_peak_memory_bytes",
        heading="GPU memory",
        unit=BYTES,
        derive=lambda cell: max(gpu_metrics.values(cell.epochs, "peak_memory_bytes"), default=None),
        exported_with="gpu_peak_memory_bytes",
        of_gpus=True,
    ),
    _gpu_mean("power_watts", "GPU W", WATTS, "power_watts"),
    _gpu_mean("sm_clock_hertz", "SM clock", HERTZ, "sm_clock_hertz", better="higher"),
    _gpu_mean("pcie_sent_bytes_per_epoch", "PCIe sent", BYTES, "pcie_sent_bytes"),
    _gpu_mean("pcie_received_bytes_per_epoch", "PCIe received", BYTES, "pcie_received_bytes"),
    _gpu_mean("nvlink_sent_bytes_per_epoch", "NVLink sent", BYTES, "nvlink_sent_bytes"),
    _gpu_mean("nvlink_received_bytes_per_epoch", "NVLink received", BYTES, "nvlink_received_bytes"),
    _gpu_mean("throttled_share", "throttled", FRACTION, "throttled_share"),
    *map(_throttling_reason, gpu_metrics.REASONS),
)
METRICS: Final = {metric.name: metric for metric in _ROWS}


def derive_metrics(cell: CompletedCell) -> dict[str, float]:
    """Return a cell's known metrics by name, without the metrics that compare it with the baseline."""
    on_gpus = any(epoch.gpu is not None for epoch in cell.epochs)
    values: dict[str, float] = {}
    for metric in METRICS.values():
        if metric.derive is not None and (on_gpus or not metric.of_gpus):
            value = metric.derive(cell)
            if value is not None:
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


def exported_metrics(cells: Iterable[Mapping[str, float]]) -> list[str]:
    """Return the names of the metrics that JSON and CSV include, given the metrics that each cell has, by name."""
    known = {name for cell in cells for name, value in cell.items() if value or not METRICS[name].zero_is_missing}
    return [metric.name for metric in METRICS.values() if metric.exported_with is None or metric.exported_with in known]


def check_names(names: Iterable[str]) -> None:
    """Raise LiecbenchError if one of the names, given with ``--metric``, is not a metric."""
    for name in names:
        if name not in METRICS:
            raise LiecbenchError(f"--metric {name}: there is no such metric", did_you_mean(name, METRICS))
