"""What the records of a cell say of its GPUs, of all of them together; nothing of cells without."""

import math
import statistics
from collections.abc import Sequence
from typing import Final

from liecbench.folded import CellResult
from liecbench.record import Epoch

METRICS: Final = (
    "joules_per_epoch",
    "joules_to_target",
    "gpu_utilisation",
    "gpu_peak_memory_bytes",
    "power_watts",
    "throttled_share",
)
# Readers are warned where the clocks were held back in more of the samples than this.
THROTTLED: Final = 0.05
_MOST_NAMED: Final = 3


def gpu_metrics(epochs: Sequence[Epoch], num_to_target: int | None) -> dict[str, float]:
    """Those of METRICS that the epochs have: means over them; joules to the target are of the first so many epochs."""
    sources = {
        "joules_per_epoch": "energy_joules",
        "gpu_utilisation": "utilisation",
        "power_watts": "power_watts",
        "throttled_share": "throttled_share",
    }
    known = {metric: values(epochs, name) for metric, name in sources.items()}
    metrics = {metric: statistics.fmean(found) for metric, found in known.items() if found}
    if memory := values(epochs, "peak_memory_bytes"):
        metrics["gpu_peak_memory_bytes"] = max(memory)
    if num_to_target is not None and (spent := joules(epochs[:num_to_target])) is not None:
        metrics["joules_to_target"] = spent
    return metrics


def values(epochs: Sequence[Epoch], name: str) -> list[float]:
    """A figure of the GPUs in those epochs that have it."""
    return [epoch.gpu[name] for epoch in epochs if epoch.gpu is not None and name in epoch.gpu]


def joules(epochs: Sequence[Epoch]) -> float | None:
    """The energy of all these epochs; None where it is not known of every one."""
    spent = values(epochs, "energy_joules")
    return math.fsum(spent) if len(spent) == len(epochs) else None


def throttling_warnings(cells: Sequence[CellResult]) -> list[str]:
    """One where clocks were held back too often to be passed over, with the cells and the reasons."""
    shares = {cell.id: _shares(cell.epochs) for cell in cells}
    held = [
        f"cell {cell} {found['throttled']:.0%}{_reasons(found)}"
        for cell, found in shares.items()
        if found.get("throttled", 0.0) > THROTTLED
    ]
    if not held:
        return []
    more = f" and {len(held) - _MOST_NAMED} more" if len(held) > _MOST_NAMED else ""
    named = "; ".join(held[:_MOST_NAMED])
    return [f"its GPUs' clocks were held back in more than {THROTTLED:.0%} of the samples: {named}{more}"]


def _shares(epochs: Sequence[Epoch]) -> dict[str, float]:
    """Means over the epochs: under ``throttled`` the share of samples with any reason, then each reason's."""
    seen = [epoch.gpu for epoch in epochs if epoch.gpu is not None and "throttled_share" in epoch.gpu]
    names = [name for name in dict.fromkeys(name for gpu in seen for name in gpu) if name.startswith("throttled_")]
    means = {name: statistics.fmean(gpu.get(name, 0.0) for gpu in seen) for name in names}
    return {(name.removesuffix("_share").removeprefix("throttled_")): mean for name, mean in means.items()}


def _reasons(shares: dict[str, float]) -> str:
    """The most frequent first."""
    named = sorted((name for name in shares if name != "throttled"), key=lambda name: -shares[name])
    texts = [f"{name.replace('_', ' ')} {shares[name]:.0%}" for name in named]
    return f" ({', '.join(texts)})" if texts else ""
