"""Groups of a timing session's contestants that memory holds at the same time; each group has the first contestant."""

import os
from collections.abc import Sequence
from typing import Final, TypeVar

import psutil
import torch
import torch.distributed as dist

from liecbench.config.cell import Cell
from liecbench.config.workload_sizes import sizes
from liecbench.worker.device import rank_device

T = TypeVar("T")
# Parameters, gradients, DDP's buckets, momentum, a method's memories and the vectors that it sends and receives.
_COPIES: Final = 12
_USABLE: Final = 0.7


def capacity(cell: Cell) -> int:
    """Return how many contestants of a setting fit into the free memory of every rank; at least 2. Collective."""
    numel = sum(shape.numel() for shape in sizes(cell.task).parameters)
    device = rank_device(cell.device)
    if device.type == "cuda":
        sharing = -(-int(os.environ["LOCAL_WORLD_SIZE"]) // torch.cuda.device_count())
        free = torch.cuda.mem_get_info(device)[0] / sharing
    else:
        free = psutil.virtual_memory().available / int(os.environ.get("LOCAL_WORLD_SIZE", cell.workers))
    fitting = torch.tensor(int(_USABLE * free / (4 * _COPIES * max(numel, 1))))
    dist.all_reduce(fitting, op=dist.ReduceOp.MIN)
    return max(2, int(fitting))


def groups(contestants: Sequence[T], capacity: int) -> list[list[T]]:
    """Return groups of at most ``capacity`` contestants; the first contestant is in each of them."""
    if len(contestants) <= capacity:
        return [list(contestants)]
    first, *others = contestants
    size = capacity - 1
    return [[first, *others[start : start + size]] for start in range(0, len(others), size)]
