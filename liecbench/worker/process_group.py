"""The process group of all ranks, joined once per launch."""

from datetime import timedelta
from typing import Final

import torch
import torch.distributed as dist

from liecbench.launch.messages import RankSettings
from liecbench.worker.device import rank_device

# The backend of a tensor depends on its device: objects, barriers and all else on the CPU use Gloo in every launch.
_BACKENDS: Final = {"gloo": "gloo", "nccl": "cpu:gloo,cuda:nccl"}


def join(settings: RankSettings, timeout: timedelta | None = None) -> None:
    """Select this rank's device and join the other ranks. Collective.

    Args:
        settings: backend and device of the plan.
        timeout: of every collective; torch's default unless given.
    """
    device = rank_device(settings.device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    # No device_id: a group that is bound to a GPU runs its barriers on NCCL, and lets no two sends overlap.
    dist.init_process_group(_BACKENDS[settings.backend], timeout=timeout)
