"""What a cell runs on, as its records and the gate of pairs have it."""

import functools
import os
from typing import Any

import torch
import torch.distributed as dist

from liecbench.config.cell import Cell
from liecbench.host import gpu, machine
from liecbench.host.gpu import Gpus, Used
from liecbench.worker.backend_variables import Backend
from liecbench.worker.cell_link import CellLink
from liecbench.worker.device import rank_device


def describe(cell: Cell, backend: Backend, link: CellLink) -> dict[str, Any]:
    """Rank 0's machine and versions, the GPUs of all ranks, NCCL and the link, as measured last. Collective."""
    gpu = _gpus(rank_device(cell.device)) if cell.device == "cuda" else None
    return {**machine.describe(threads=cell.threads), "gpu": gpu, **backend.describe(), "link": link.describe()}


@functools.cache
def _gpus(device: torch.device) -> dict[str, Any]:
    """Of every rank's ``device``; each machine's first rank asks its NVML."""
    properties = torch.cuda.get_device_properties(device)
    used = Used(machine=int(os.environ["GROUP_RANK"]), uuid=str(properties.uuid), name=properties.name)
    mine = (used, gpu.installed() if os.environ["LOCAL_RANK"] == "0" else None)
    everyone: list[tuple[Used, Gpus | None]] = [mine] * dist.get_world_size()
    dist.all_gather_object(everyone, mine)
    machines = [found for _, found in everyone if found is not None]
    return {**gpu.environment([used for used, _ in everyone], machines), "tf32": _tf32()}


def _tf32() -> dict[str, bool]:
    """What torch computes with 10 bits of a float32's 23."""
    return {"convolutions": torch.backends.cudnn.allow_tf32, "matrix_products": torch.backends.cuda.matmul.allow_tf32}
