"""What every format shares: which columns a comparison has, and how a metric is written."""

from collections.abc import Sequence
from dataclasses import dataclass

from liecbench.errors import LiecbenchError, did_you_mean
from liecbench.results.comparison import METRICS, Estimate, Row, varying_fields
from liecbench.results.gpu_metrics import METRICS as GPU_METRICS
from liecbench.results.gpu_metrics import REASON_METRICS, most_ranks_a_gpu

HEADINGS = {
    "test_accuracy": "accuracy",
    "train_loss": "train loss",
    "seconds_per_epoch": "s/epoch",
    "exposed_seconds_per_epoch": "exposed",
    "payload_bytes_per_epoch": "payload",
    "wire_bytes_per_epoch": "wire",
    "seconds_to_target": "s to target",
    "bytes_to_target": "B to target",
    "speedup": "speed-up",
    "bytes_ratio": "bytes÷",
    "accuracy_difference": "accuracy Δ",
    "compute_seconds_per_epoch": "compute",
    "compress_seconds_per_epoch": "compress",
    "communicate_seconds_per_epoch": "communicate",
    "joules_per_epoch": "J/epoch",
    "joules_to_target": "J to target",
    "gpu_utilisation": "GPU use",
    "gpu_peak_memory_bytes": "GPU memory",
    "power_watts": "GPU W",
    "sm_clock_hertz": "SM clock",
    "pcie_sent_bytes_per_epoch": "PCIe sent",
    "pcie_received_bytes_per_epoch": "PCIe received",
    "nvlink_sent_bytes_per_epoch": "NVLink sent",
    "nvlink_received_bytes_per_epoch": "NVLink received",
    "throttled_share": "throttled",
    **REASON_METRICS,
}
DEFAULT_METRICS = (
    "test_accuracy",
    "seconds_per_epoch",
    "exposed_seconds_per_epoch",
    "payload_bytes_per_epoch",
    "wire_bytes_per_epoch",
    "joules_per_epoch",
    "gpu_utilisation",
    "bytes_ratio",
    "speedup",
)
HIGHER_IS_BETTER = frozenset(
    {"test_accuracy", "speedup", "bytes_ratio", "accuracy_difference", "gpu_utilisation", "sm_clock_hertz"}
)
_SIZES = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The columns of a comparison: fields that tell rows apart, then metrics; what all rows share goes below."""

    fields: list[str]
    metrics: list[str]
    caption: str
    baseline: str


def checked_metrics(names: Sequence[str] | None) -> Sequence[str]:
    """The metrics asked for, or the usual ones; LiecbenchError for one that does not exist."""
    for name in names or ():
        if name not in METRICS:
            raise LiecbenchError(f"--metric {name}: there is no such metric", did_you_mean(name, METRICS))
    return names or DEFAULT_METRICS


def lay_out(rows: Sequence[Row], metrics: Sequence[str], *, baseline: str, by: str) -> Layout:
    """Columns for these rows."""
    fields = list(dict.fromkeys(["algorithm", by, *varying_fields(rows)]))
    shared = {
        name: value for row in rows for name, value in row.fields.items() if name not in fields and value is not None
    }
    known = [name for name in metrics if any(row.metrics[name] is not None for row in rows)]
    compared = any(row.metrics["speedup"] is not None for row in rows)
    ranks = most_ranks_a_gpu(cell for row in rows for cell in row.members)
    caption = _caption(shared, baseline, compared, ranks)
    caption += "; figures of GPUs: of all together" if {*GPU_METRICS} & {*known} else ""
    return Layout(fields=fields, metrics=known, caption=caption, baseline=baseline)


def _caption(shared: dict[str, object], baseline: str, compared: bool, ranks_a_gpu: int) -> str:
    named = ("link", "dataset", "model", "compressor", "server", "batch_size", "epochs", "learning_rate")
    parts = [f"{shared['workers']} workers"] if "workers" in shared else []
    parts += [f"up to {ranks_a_gpu} ranks a GPU"] if ranks_a_gpu > 1 else []
    parts += ["times composed"] if shared.get("timing") == "composed" else []
    parts += [f"{name.replace('_', ' ')} {shared[name]}" for name in named if name in shared]
    ratios = (
        f"* baseline {baseline}; bytes÷ and speed-up: baseline ÷ row" if compared else f"no {baseline} to compare with"
    )
    return f"{' · '.join(parts)}\n{ratios}; payload and wire: sent + received a rank an epoch"


def warning_lines(rows: Sequence[Row]) -> list[str]:
    """Every row's warnings, each once."""
    return list(dict.fromkeys(f"{row.fields['algorithm']}: {text}" for row in rows for text in row.warnings))


def field_text(row: Row, name: str, layout: Layout) -> str:
    """A field's value; a dash where the row has no such field, a star at the baseline."""
    value = row.fields.get(name)
    star = " *" if name == "algorithm" and value == layout.baseline else ""
    if isinstance(value, dict):
        value = ", ".join(f"{key} {item}" for key, item in value.items())
    return "–" if value is None else f"{value}{star}"


def best(rows: Sequence[Row], name: str) -> float | None:
    """The best mean of a metric."""
    means = [value.mean for row in rows if (value := row.metrics[name]) is not None]
    return (max if name in HIGHER_IS_BETTER else min)(means) if means else None


def metric_text(name: str, value: Estimate | None) -> str:
    """A metric with its unit, and its interval where there are several seeds."""
    if value is None:
        return "–"
    text = _number(name, value.mean)
    spread = 0.0 if value.high is None else value.high - value.mean
    return f"{text} ±{_number(name, spread).removeprefix('+')}" if spread else text


def _number(name: str, value: float) -> str:
    if name == "test_accuracy" or name.endswith(("utilisation", "_share")):
        return f"{value * 100:.1f}%"
    if name == "accuracy_difference":
        return f"{value * 100:+.1f}"
    if name in ("bytes_ratio", "speedup"):
        return f"{value:.1f}×" if value >= 10 else f"{value:.2f}×"
    if name.endswith("_hertz"):
        return f"{value / 1e9:.3g} GHz"
    if "bytes" in name:
        for size, unit in _SIZES:
            if value >= 0.9995 * size:
                return f"{value / size:.3g} {unit}"
        return f"{value:.0f} B"
    return f"{value:.3g}" if value < 999.5 else f"{value:.0f}"


def state_text(row: Row) -> str:
    """Cells that did not complete, in plain sight."""
    counts = {"failed": row.failed, "unfinished": row.unfinished}
    return ", ".join(f"{count}/{row.cells} {state}" for state, count in counts.items() if count)
