"""The mean model on held-out data, and how far the workers' models are from it."""

from collections.abc import Callable

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.functional import cross_entropy

from liecbench.tasks.base import Examples

_BATCH = 1024


def evaluate(model: nn.Module, test: Examples, on_batch: Callable[[], None]) -> tuple[float, float]:
    """Mean loss and accuracy over all examples, each rank taking every n-th; buffers are rank 0's."""
    for buffer in model.buffers():
        dist.broadcast(buffer, src=0)
    rank, world_size = dist.get_rank(), dist.get_world_size()
    totals = torch.zeros(2, dtype=torch.float64)
    model.eval()
    with torch.no_grad():
        mine = torch.arange(rank, len(test), world_size)
        for batch in mine.split(_BATCH):
            logits, labels = model(test.inputs[batch]), test.labels[batch]
            totals[0] += float(cross_entropy(logits, labels, reduction="sum"))
            on_batch()
            totals[1] += int((logits.argmax(dim=1) == labels).sum())
    model.train()
    dist.all_reduce(totals)
    loss, correct = totals.tolist()
    return loss / len(test), correct / len(test)


def divergence(model: nn.Module) -> float:
    """max_i ‖x_i − x̄‖ / ‖x̄‖ over the workers' parameters."""
    local = torch.cat([parameter.detach().view(-1) for parameter in model.parameters()]).double()
    mean = local.clone()
    dist.all_reduce(mean)
    mean /= dist.get_world_size()
    relative = (local - mean).norm() / mean.norm().clamp_min(torch.finfo(torch.float64).tiny)
    dist.all_reduce(relative, op=dist.ReduceOp.MAX)
    return float(relative)
