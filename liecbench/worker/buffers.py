"""A model's buffers, such as the running statistics of BatchNorm: rank 0's for all ranks, or each rank's own."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch.distributed as dist
from torch import nn

from liecbench.algorithms.base import Algorithm
from liecbench.config.cell import Cell


def keeps_own_buffers(cell: Cell, algorithm: Algorithm) -> bool:
    """Return whether each rank keeps its own buffers, because its data or its model differ from those of other ranks.

    Otherwise DistributedDataParallel broadcasts rank 0's buffers before every forward pass.
    """
    return cell.task.partition != "iid" or algorithm.local_models


@contextmanager
def shared_buffers(model: nn.Module, *, average: bool) -> Iterator[None]:
    """Give all ranks equal buffers while the ``with`` body runs. Collective.

    Args:
        model: The model.
        average: Whether floating-point buffers become their mean over ranks, and integers rank 0's, and all buffers are
            restored in the end. Otherwise all become rank 0's, and remain so.
    """
    buffers = list(model.buffers())
    own = [buffer.clone() for buffer in buffers] if average else []
    for buffer in buffers:
        if average and buffer.is_floating_point():
            dist.all_reduce(buffer)
            buffer /= dist.get_world_size()
        else:
            dist.broadcast(buffer, src=0)
    try:
        yield
    finally:
        for buffer, value in zip(buffers, own, strict=False):
            buffer.copy_(value)
