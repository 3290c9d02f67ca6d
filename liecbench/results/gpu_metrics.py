"""What the records of a cell say of its GPUs, of all of them together; nothing of cells without."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from liecbench.host.gpu_sampler import REASONS
from liecbench.results.cells import CellResult
from liecbench.results.records import Epoch

# Where each is found in the epochs, whose mean it is.
_MEANS: Final = {
    "joules_per_epoch": "energy_joules",
    "gpu_utilisation": "utilisation",
    "power_watts": "power_watts",
    "sm_clock_hertz": "sm_clock_hertz",
    "pcie_sent_bytes_per_epoch": "pcie_sent_bytes",
    "pcie_received_bytes_per_epoch": "pcie_received_bytes",
    "nvlink_sent_bytes_per_epoch": "nvlink_sent_bytes",
    "nvlink_received_bytes_per_epoch": "nvlink_received_bytes",
    "throttled_share": "throttled_share",
}
# By metric a reason for which clocks were held back.
REASON_METRICS: Final = {f"throttled_{reason}_share": reason.replace("_", " ") for reason in REASONS.values()}
METRICS: Final = ("joules_to_target", "gpu_peak_memory_bytes", *_MEANS, *REASON_METRICS)
# Readers are warned where the clocks were held back in more of the samples than this.
THROTTLED: Final = 0.05
_MOST_NAMED: Final = 3


def gpu_metrics(epochs: Sequence[Epoch], num_to_target: int | None) -> dict[str, float]:
    """Those of METRICS that the epochs have: means over them; joules to the target are of the first so many epochs."""
    known = {metric: values(epochs, name) for metric, name in _MEANS.items()}
    metrics = {metric: statistics.fmean(found) for metric, found in known.items() if found}
    if known["throttled_share"]:
        shares = _shares(epochs)
        metrics |= {metric: shares.get(reason, 0.0) for metric, reason in REASON_METRICS.items()}
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


def seen_metrics(cells: Iterable[Mapping[str, float]]) -> list[str]:
    """Those of METRICS that any of the cells' has; of reasons those for which clocks were held back."""
    seen = {name for cell in cells for name, value in cell.items() if value or name not in REASON_METRICS}
    return [name for name in METRICS if name in seen or (name == "joules_to_target" and "joules_per_epoch" in seen)]


def most_ranks_a_gpu(cells: Iterable[CellResult]) -> int:
    """The most ranks that any GPU had; 0 where no GPU is known."""
    machines = [ranks for cell in cells for ranks in (cell.environment.get("gpu") or {}).get("ranks_per_gpu", ())]
    return max((number for ranks in machines for number in ranks), default=0)


def sharing_warnings(cells: Sequence[CellResult]) -> list[str]:
    """One where NCCL's ranks shared GPUs."""
    over_nccl = [cell for cell in cells if (cell.environment.get("nccl") or {}).get("shared_gpus")]
    if (most := most_ranks_a_gpu(over_nccl)) < 2:
        return []
    return [f"up to {most} of its ranks shared a GPU over NCCL, which does not support it: its times are an experiment"]


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
    words = {name: name.removesuffix("_share").removeprefix("throttled_").replace("_", " ") for name in names}
    return {words[name]: mean for name, mean in means.items()}


def _reasons(shares: dict[str, float]) -> str:
    """The most frequent first."""
    named = sorted((name for name in shares if name != "throttled"), key=lambda name: -shares[name])
    texts = [f"{name} {shares[name]:.0%}" for name in named]
    return f" ({', '.join(texts)})" if texts else ""
