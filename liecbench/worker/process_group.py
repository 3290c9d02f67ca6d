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
        settings: The plan, with its backend and device.
        timeout: Timeout of every collective; torch's default if None.
    """
    device = rank_device(settings.device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    # Give no device_id: a process group bound to a GPU runs its barriers on NCCL, and lets no two sends overlap.
    dist.init_process_group(_BACKENDS[settings.backend], timeout=timeout)
