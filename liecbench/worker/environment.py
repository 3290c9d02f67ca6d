"""Describe the hardware and software that a cell (one configuration with one seed) runs on, to be recorded."""

import functools
import os
from typing import Any

import torch
import torch.distributed as dist

from liecbench.config.cell import Cell
from liecbench.host import gpu, machine, variables
from liecbench.host.gpu import Gpus, Used
from liecbench.worker.backend_variables import Backend
from liecbench.worker.cell_link import CellLink
from liecbench.worker.device import rank_device


def describe(cell: Cell, backend: Backend, link: CellLink) -> dict[str, Any]:
    """Describe this rank's machine and software versions, all ranks' GPUs, the backend and all links. Collective.

    Of the environment variables, only those that can change numbers or times are described.
    """
    gpu = _gpus(rank_device(cell.device)) if cell.device == "cuda" else None
    machine_facts = {**machine.describe(threads=cell.threads), "variables": variables.recorded(os.environ)}
    return {**machine_facts, "gpu": gpu, **backend.describe(), "link": link.describe()}


@functools.cache
def _gpus(device: torch.device) -> dict[str, Any]:
    """Return a description of the GPUs of all ranks, and whether torch may use TF32. Collective.

    ``device`` is this rank's GPU. The keys are those of ``gpu.environment``, and ``tf32``.
    """
    # Only the first rank on each machine queries NVML.
    properties = torch.cuda.get_device_properties(device)
    used = Used(machine=int(os.environ["GROUP_RANK"]), uuid=str(properties.uuid), name=properties.name)
    own = (used, gpu.installed() if os.environ["LOCAL_RANK"] == "0" else None)
    ranks: list[tuple[Used, Gpus | None]] = [own] * dist.get_world_size()
    dist.all_gather_object(ranks, own)
    machines = [found for _, found in ranks if found is not None]
    return {**gpu.environment([used for used, _ in ranks], machines), "tf32": _tf32()}


def _tf32() -> dict[str, bool]:
    """Return whether torch may use TF32, which keeps 10 of float32's 23 mantissa bits, for two kinds of operations.

    The keys are ``convolutions`` and ``matrix_products``.
    """
    return {"convolutions": torch.backends.cudnn.allow_tf32, "matrix_products": torch.backends.cuda.matmul.allow_tf32}
