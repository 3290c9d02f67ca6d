"""The partition of training examples among workers: IID, or with label shares drawn from a Dirichlet distribution."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from liecbench.config.cell import Dirichlet, Task

Indices = NDArray[np.int64]


def epoch_order(task: Task, labels: Tensor, *, seed: int, epoch: int, rank: int, world_size: int) -> Tensor:
    """Return the examples that one rank trains on in one epoch, in order.

    IID examples are redistributed among the ranks every epoch; a Dirichlet shard stays with its rank and is reshuffled.

    Args:
        task: The task, with its partition.
        labels: Labels of all training examples.
        seed: Seed of the cell.
        epoch: The epoch, from 0.
        rank: The rank.
        world_size: Number of ranks.

    Returns:
        Indices into ``labels``; the same for the same arguments.
    """
    match task.partition:
        case Dirichlet(dirichlet=alpha):
            shard = dirichlet_shards(labels.numpy(), world_size, alpha, seed)[rank]
            order = np.random.default_rng([seed, epoch, rank]).permutation(shard)
        case _:
            order = np.random.default_rng([seed, epoch]).permutation(len(labels))[rank::world_size]
    return torch.from_numpy(order)


def dirichlet_shards(labels: Indices, num_shards: int, alpha: float, seed: int) -> list[Indices]:
    """Return disjoint shards of ⌊n / num_shards⌋ examples, each with label shares drawn from Dir(α).

    Shards are filled one after the other, without replacement. When a label's examples are used up, the shares of the
    remaining labels are drawn anew. Source: Hsu, Qi and Brown (2019, arXiv 1909.06335), for CIFAR-10 among clients.
    """
    rng = np.random.default_rng([seed, num_shards])
    pools = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    size = len(labels) // num_shards
    return [_sample_shard(pools, alpha, size, rng) for _ in range(num_shards)]


def _sample_shard(pools: list[Indices], alpha: float, size: int, rng: np.random.Generator) -> Indices:
    """Remove ``size`` examples from ``pools``, the remaining examples of each label, and return the removed ones."""
    shard: list[Indices] = []
    missing = size
    while missing:
        available = [label for label, pool in enumerate(pools) if len(pool)]
        shares = rng.dirichlet(np.full(len(available), alpha))
        for label, wanted in zip(available, rng.multinomial(missing, shares), strict=True):
            shard.append(pools[label][:wanted])
            pools[label] = pools[label][wanted:]
        missing = size - sum(map(len, shard))
    return np.concatenate(shard)
