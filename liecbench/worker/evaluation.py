"""Evaluation after an epoch: test loss and accuracy, divergence of the ranks' models, and compression error."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from liecbench.algorithms.base import Algorithm
from liecbench.worker.buffers import keeps_own_buffers, shared_buffers
from liecbench.worker.device import on_device, rng_states, set_rng_states
from liecbench.worker.module_modes import evaluation_mode
from liecbench.worker.replica import Replica
from liecbench.worker.undone_passes import undone

_BATCH_SIZE = 256
_PIECE = 2**24


def evaluate_mean_model(replica: Replica) -> tuple[float, float]:
    """Return the mean loss and the accuracy (from 0 to 1) over the test set. Collective.

    Each rank evaluates a part of the test set. The model's parameters must already be the mean over ranks. Buffers,
    such as running statistics, are those of rank 0 or, if each rank keeps its own buffers, the mean over ranks.
    """
    averages = keeps_own_buffers(replica.cell, replica.algorithm)
    with shared_buffers(replica.model, average=averages, parameters=replica.changing_parameters):
        return _evaluate(replica)


def _evaluate(replica: Replica) -> tuple[float, float]:
    task, model, test = replica.task, replica.model, replica.task.test
    rank, world_size = dist.get_rank(), dist.get_world_size()
    totals = torch.zeros(2, dtype=torch.float64)
    rng = np.random.default_rng(0)
    # A model that computes gradients of its inputs needs them in evaluation, too.
    with evaluation_mode(model), torch.set_grad_enabled(test.inputs.requires_grad):
        own = torch.arange(rank, len(test), world_size)
        for indices in own.split(_BATCH_SIZE):
            inputs, labels = on_device(test.batch(indices, rng), replica.device)
            outputs = model(inputs)
            totals[0] += float(task.loss(outputs, labels)) * len(indices)
            totals[1] += float(task.accuracy(outputs, labels)) * len(indices)
            replica.heartbeat()
    dist.all_reduce(totals)
    loss, correct = totals.tolist()
    return loss / len(test), correct / len(test)


def divergence(model: nn.Module) -> float:
    """Return max_i ‖x_i − x̄‖ / ‖x̄‖, where x_i are the parameters on rank i and x̄ is their mean. Collective."""
    distances, norms = list[Tensor](), list[Tensor]()
    for local in _pieces(model):
        mean = local.clone()
        dist.all_reduce(mean)
        mean /= dist.get_world_size()
        norms.append(mean.norm())
        distances.append(local.sub_(mean).norm())
    relative = torch.stack(distances).norm() / torch.stack(norms).norm().clamp_min(torch.finfo(torch.float64).tiny)
    dist.all_reduce(relative, op=dist.ReduceOp.MAX)
    return float(relative)


def _pieces(model: nn.Module) -> Iterator[Tensor]:
    """Yield the concatenated parameters in double precision, cut into vectors of at most ``_PIECE`` elements."""
    piece, numel = list[Tensor](), 0
    for part in (part for p in model.parameters() for part in p.detach().reshape(-1).split(_PIECE)):
        if piece and numel + part.numel() > _PIECE:
            yield torch.cat(piece).double()
            piece, numel = [], 0
        piece.append(part)
        numel += part.numel()
    if piece:
        yield torch.cat(piece).double()


def compression_error(replica: Replica, indices: Tensor) -> float | None:
    """Return ‖v − C(v)‖² / ‖v‖² for the vector v that this rank would compress after a backward pass on ``indices``.

    C(v) is v after compression and decompression. The pass neither updates the model nor sends a message. Gradients are
    removed, and all other effects of the pass are undone. Return None if the method does not compress.

    Args:
        replica: This rank's model with the method.
        indices: The numbers of the training examples for the pass.

    Raises:
        RuntimeError: If the model's own code changes a parameter that is not in ``replica.changing_parameters``. Only
            changes of those parameters can be undone.
    """
    if type(replica.algorithm).compression_error is Algorithm.compression_error:
        return None
    states = rng_states(replica.device)
    replica.optimizer.zero_grad()  # the gradients, views of DDP's buckets, still hold the last update
    with _others_unchanged(replica), undone(replica.model, parameters=replica.changing_parameters):
        # Use the model without DistributedDataParallel, whose hooks would wait for a forward pass of their own.
        replica.loss(replica.model, replica.batches.evaluation_batch(indices)).backward()
        error = replica.algorithm.compression_error()
        replica.optimizer.zero_grad()
    set_rng_states(states, replica.device)
    return error


@contextmanager
def _others_unchanged(replica: Replica) -> Iterator[None]:
    """Raise RuntimeError if the ``with`` body changes a parameter that is not in ``replica.changing_parameters``.

    Only version counters and addresses are compared, because copies would take as much memory as the model.
    """
    others = {n: p for n, p in replica.model.named_parameters() if p not in replica.changing_parameters}
    before = {name: (parameter._version, parameter.data_ptr()) for name, parameter in others.items()}
    yield
    for name, parameter in others.items():
        if (parameter._version, parameter.data_ptr()) != before[name]:
            raise RuntimeError(
                f"the model changed its parameter {name} in a forward pass, but not in its first two; "
                "the pass that measures the compression error cannot undo this: change it from the first pass on"
            )
