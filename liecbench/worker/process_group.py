"""The process group of all ranks, joined once a launch."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import torch
import torch.distributed as dist

from liecbench.worker.device import rank_device

# By the device of a tensor: objects, barriers and whatever else is on the CPU take Gloo in every launch.
_BACKENDS: Final = {"gloo": "gloo", "nccl": "cpu:gloo,cuda:nccl"}


def join(plan: Mapping[str, Any], timeout: timedelta | None = None) -> None:
    """Take the device that a plan asks for, and meet the other ranks; collective.

    ``timeout`` is that of every collective, torch's own unless given.
    """
    device = rank_device(plan["device"])
    if device.type == "cuda":
        torch.cuda.set_device(device)
    # No device_id: a group that is bound to a GPU makes its barriers NCCL's, and lets no two sends overlap.
    dist.init_process_group(_BACKENDS[plan["backend"]], timeout=timeout)
