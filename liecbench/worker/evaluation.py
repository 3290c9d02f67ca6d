"""The mean model on held-out data, and how far the workers' models are from it."""

from collections.abc import Callable

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from liecbench.tasks.base import Task

_BATCH = 256


def evaluate(task: Task, device: torch.device, on_batch: Callable[[], None]) -> tuple[float, float]:
    """Mean loss and accuracy over all test examples, each rank taking every n-th; buffers are rank 0's."""
    model, test = task.model, task.test
    for buffer in model.buffers():
        dist.broadcast(buffer, src=0)
    rank, world_size = dist.get_rank(), dist.get_world_size()
    totals = torch.zeros(2, dtype=torch.float64)
    random = np.random.default_rng(0)
    model.eval()
    with torch.no_grad():
        mine = torch.arange(rank, len(test), world_size)
        for indices in mine.split(_BATCH):
            inputs, labels = (part.to(device) for part in test.batch(indices, random))
            outputs = model(inputs)
            totals[0] += float(task.loss(outputs, labels)) * len(indices)
            totals[1] += float(task.accuracy(outputs, labels)) * len(indices)
            on_batch()
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
