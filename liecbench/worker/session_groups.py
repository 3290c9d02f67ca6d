"""Groups of a timing session's contestants (methods to time) that fit into memory at the same time.

The first contestant is in every group, because the others are compared with the first.
"""

import os
from collections.abc import Sequence
from typing import Final, TypeVar

import torch
import torch.distributed as dist

from liecbench.config.cell import Cell
from liecbench.config.optimizer_fields import make_optimizer
from liecbench.config.workload_sizes import sizes
from liecbench.host import cgroups
from liecbench.worker.device import rank_device

T = TypeVar("T")
# Vectors as large as the model that a contestant holds besides the optimizer's states: parameters, gradients, DDP's
# buckets, the method's memories, and the vectors that it sends and receives.
_COPIES: Final = 11
# The same of the plain model on which computing is measured: parameters and gradients.
_PLAIN_COPIES: Final = 2
_USABLE: Final = 0.7


def capacity(cell: Cell) -> int:
    """Return the number of contestants (methods to time) that fit together into the free memory of every rank.

    Return 2 if fewer fit. ``cell`` is the cell of any contestant, because all contestants have the same model, device
    and number of workers. Collective.
    """
    states = max(1, make_optimizer(cell.task).num_states)
    numel = sum(shape.numel() for shape in sizes(cell.task).parameters)
    device = rank_device(cell.device)
    if device.type == "cuda":
        sharing = -(-int(os.environ["LOCAL_WORLD_SIZE"]) // torch.cuda.device_count())
        free = torch.cuda.mem_get_info(device)[0] / sharing
    else:
        free = cgroups.available_memory_bytes() / int(os.environ.get("LOCAL_WORLD_SIZE", cell.workers))
    fitting = torch.tensor(int((_USABLE * free / (4 * max(numel, 1)) - _PLAIN_COPIES - states) / (_COPIES + states)))
    dist.all_reduce(fitting, op=dist.ReduceOp.MIN)
    return max(2, int(fitting))


def groups(contestants: Sequence[T], capacity: int) -> list[list[T]]:
    """Divide the contestants into groups of at most ``capacity``; the first contestant is in every group."""
    if len(contestants) <= capacity:
        return [list(contestants)]
    first, *others = contestants
    size = capacity - 1
    return [[first, *others[start : start + size]] for start in range(0, len(others), size)]
