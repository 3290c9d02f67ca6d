"""The process group of all ranks, joined once per launch."""

from datetime import timedelta
from typing import Final

import torch
import torch.distributed as dist

from liecbench.launch.plans import RankSettings
from liecbench.worker.device import rank_device

# torch chooses the backend by a tensor's device. So object collectives, barriers and CPU tensors always use Gloo.
_BACKENDS: Final = {"gloo": "gloo", "nccl": "cpu:gloo,cuda:nccl"}


def join(settings: RankSettings, timeout: timedelta | None = None) -> None:
    """Select this rank's device, and join the process group of all ranks. Collective.

    Args:
        settings: The settings with the ranks' backend and device.
        timeout: Timeout of every collective; None for torch's default.
    """
    device = rank_device(settings.device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    # Pass no device_id, because a process group bound to a GPU runs barriers on NCCL, and never overlaps two sends.
    dist.init_process_group(_BACKENDS[settings.backend], timeout=timeout)
