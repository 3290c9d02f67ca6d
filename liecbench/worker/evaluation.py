"""Evaluation after an epoch: the mean model on the test set, the ranks' divergence, and the compression error."""

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from liecbench.worker.buffers import keeps_own_buffers, shared_buffers
from liecbench.worker.device import rng_states, set_rng_states
from liecbench.worker.replica import Replica

_BATCH_SIZE = 256


def evaluate_mean_model(replica: Replica) -> tuple[float, float]:
    """Return mean loss and accuracy over the test set; each rank evaluates a part of the set. Collective.

    The model's parameters must already be the mean over ranks. Buffers, such as running statistics, are rank 0's or, if
    each rank keeps its own, their mean.
    """
    with shared_buffers(replica.model, average=keeps_own_buffers(replica.cell, replica.algorithm)):
        return _evaluate(replica)


def _evaluate(replica: Replica) -> tuple[float, float]:
    task, model, test = replica.task, replica.model, replica.task.test
    rank, world_size = dist.get_rank(), dist.get_world_size()
    totals = torch.zeros(2, dtype=torch.float64)
    rng = np.random.default_rng(0)
    model.eval()
    with torch.no_grad():
        own = torch.arange(rank, len(test), world_size)
        for indices in own.split(_BATCH_SIZE):
            inputs, labels = (part.to(replica.device) for part in test.batch(indices, rng))
            outputs = model(inputs)
            totals[0] += float(task.loss(outputs, labels)) * len(indices)
            totals[1] += float(task.accuracy(outputs, labels)) * len(indices)
            replica.heartbeat()
    model.train()
    dist.all_reduce(totals)
    loss, correct = totals.tolist()
    return loss / len(test), correct / len(test)


def divergence(model: nn.Module) -> float:
    """Return max_i ‖x_i − x̄‖ / ‖x̄‖ for the parameters x_i of rank i and their mean x̄. Collective."""
    local = torch.cat([parameter.detach().view(-1) for parameter in model.parameters()]).double()
    mean = local.clone()
    dist.all_reduce(mean)
    mean /= dist.get_world_size()
    relative = (local - mean).norm() / mean.norm().clamp_min(torch.finfo(torch.float64).tiny)
    dist.all_reduce(relative, op=dist.ReduceOp.MAX)
    return float(relative)


def compression_error(replica: Replica, indices: Tensor) -> float | None:
    """Return ‖g − C(g)‖² / ‖g‖² for this rank's gradient g on these examples; None if the algorithm compresses nothing.

    The forward and backward pass trains nothing and sends nothing; buffers and RNG states are restored afterwards.
    """
    buffers = {name: value.clone() for name, value in replica.model.named_buffers()}
    states = rng_states(replica.device)
    replica.optimizer.zero_grad()  # DDP's buckets hold the last update
    # The bare model: DistributedDataParallel's hooks would wait for its own forward pass.
    replica.loss(replica.model, replica.batches.evaluation_batch(indices)).backward()
    error = replica.algorithm.compression_error()
    replica.optimizer.zero_grad()
    for name, buffer in replica.model.named_buffers():
        buffer.copy_(buffers[name])
    set_rng_states(states, replica.device)
    return error
