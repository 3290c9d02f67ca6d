"""The buffers of a model, such as BatchNorm's running statistics.

Decide whether ranks keep their own buffers in training, and make buffers equal on all ranks for evaluation. A parameter
that the model's own code changes, and not the optimizer, is treated as a buffer.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import torch.distributed as dist
from torch import nn

from liecbench.algorithms.base import Algorithm
from liecbench.config.cell import Cell


def keeps_own_buffers(cell: Cell, algorithm: Algorithm) -> bool:
    """Return True if each rank keeps its own buffers in training.

    Ranks do so if their data are not IID, or if the algorithm trains a local model on each rank. Otherwise
    DistributedDataParallel broadcasts rank 0's buffers before every forward pass.
    """
    return cell.task.partition != "iid" or algorithm.local_models


@contextmanager
def shared_buffers(
    model: nn.Module, *, average: bool, parameters: Collection[nn.Parameter] = frozenset()
) -> Iterator[None]:
    """Give the model the same buffers on all ranks while the ``with`` body runs. Collective.

    Args:
        model: The model.
        average: If False, each rank takes rank 0's buffers, and keeps them after the body. If True, floating-point
            buffers are averaged over ranks, all other buffers are taken from rank 0, and each rank gets its own buffers
            back after the body.
        parameters: Parameters that the model's own code changes in a forward or backward pass. Those that require no
            gradient are treated as buffers, because the optimizer does not change them.
    """
    frozen = (p for p in model.parameters() if p in parameters and not p.requires_grad)
    buffers = [tensor.detach() for tensor in (*model.buffers(), *frozen)]
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
