"""GPU metrics of cells, and warnings about their GPUs. Each metric covers all GPUs of a cell together.

Cells on the CPU have no such metrics.
"""

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Final

from liecbench.host.gpu_window import REASONS as _REASON_BITS
from liecbench.results.cells import CellResult
from liecbench.results.records import Epoch

# Names of the reasons for which the driver holds the GPU's clocks back.
REASONS: Final = tuple(_REASON_BITS.values())
_THROTTLED: Final = "throttled_share"
# Readers are warned if the clocks were held back in a larger share of the samples than this.
_MAX_THROTTLED_SHARE: Final = 0.05
_MAX_CELLS_NAMED: Final = 3


def values(epochs: Sequence[Epoch], field: str) -> list[float]:
    """Return the values of a field of ``Epoch.gpu``, one per epoch that has the field."""
    return [epoch.gpu[field] for epoch in epochs if epoch.gpu is not None and field in epoch.gpu]


def mean(epochs: Sequence[Epoch], field: str) -> float | None:
    """Return the mean of a field of ``Epoch.gpu`` over the epochs that have it; None if no epoch has it."""
    known = values(epochs, field)
    return statistics.fmean(known) if known else None


def joules(epochs: Sequence[Epoch]) -> float | None:
    """Return the sum of these epochs' GPU energy in joules; None if the energy of any epoch is unknown."""
    known = values(epochs, "energy_joules")
    return math.fsum(known) if len(known) == len(epochs) else None


def throttling_shares(epochs: Sequence[Epoch]) -> dict[str, float]:
    """Return the shares of GPU samples in which the clocks were held back, for any reason and for each reason.

    Returns:
        Shares from 0 to 1, by name. ``throttled_share`` is the share for any reason. Each reason has a share, such as
        ``throttled_power_cap_share``. A share is the mean over the epochs that have a ``throttled_share``. If no
        epoch has a ``throttled_share``, the result is empty.
    """
    known = [epoch.gpu for epoch in epochs if epoch.gpu is not None and _THROTTLED in epoch.gpu]
    if not known:
        return {}
    names = dict.fromkeys(f"throttled_{reason}_share" for reason in REASONS)
    names |= dict.fromkeys(name for gpu in known for name in gpu if name.startswith("throttled_"))
    return {name: statistics.fmean(gpu.get(name, 0.0) for gpu in known) for name in names}


def reason_text(name: str) -> str:
    """Return the throttling reason that ``name`` contains: ``hw thermal`` for ``throttled_hw_thermal_share``."""
    return name.removeprefix("throttled_").removesuffix("_share").replace("_", " ")


def max_ranks_per_gpu(cells: Iterable[CellResult]) -> int:
    """Return the largest number of ranks that shared a GPU; 0 if no cell ran on GPUs."""
    found = [cell.environment.gpu for cell in cells if cell.environment.gpu]
    return max((number for gpu in found for ranks in gpu.ranks_per_gpu for number in ranks), default=0)


def sharing_warnings(cells: Sequence[CellResult]) -> list[str]:
    """Return a list of one warning if ranks that use NCCL shared a GPU, else an empty list."""
    over_nccl = [cell for cell in cells if cell.environment.nccl and cell.environment.nccl.shared_gpus]
    if (most := max_ranks_per_gpu(over_nccl)) < 2:
        return []
    return [f"up to {most} of its ranks shared a GPU over NCCL, which does not support it: its times are an experiment"]


def throttling_warnings(cells: Sequence[CellResult]) -> list[str]:
    """Return a list of one warning that names cells whose GPU clocks were often held back; an empty list if none were.

    Often means in more than 5 % of the samples of a cell's GPUs. The warning names at most three cells, each with the
    reasons.
    """
    shares = {cell.id: throttling_shares(cell.epochs) for cell in cells}
    throttled = [
        f"cell {cell} {found[_THROTTLED]:.0%}{_reasons(found)}"
        for cell, found in shares.items()
        if found.get(_THROTTLED, 0.0) > _MAX_THROTTLED_SHARE
    ]
    if not throttled:
        return []
    more = f" and {len(throttled) - _MAX_CELLS_NAMED} more" if len(throttled) > _MAX_CELLS_NAMED else ""
    named = "; ".join(throttled[:_MAX_CELLS_NAMED])
    return [f"its GPUs' clocks were held back in more than {_MAX_THROTTLED_SHARE:.0%} of the samples: {named}{more}"]


def _reasons(shares: dict[str, float]) -> str:
    """Return the reasons for throttling, with shares of the samples, such as `` (sw thermal 12%, power cap 3%)``.

    The most frequent reason comes first. Return an empty text if no reason has a share above 0. ``shares`` is the
    result of ``throttling_shares``.
    """
    names = sorted((name for name in shares if name != _THROTTLED and shares[name]), key=lambda name: -shares[name])
    texts = [f"{reason_text(name)} {shares[name]:.0%}" for name in names]
    return f" ({', '.join(texts)})" if texts else ""
