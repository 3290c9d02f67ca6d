"""The partition of training examples among workers: IID, or with label shares drawn from a Dirichlet distribution."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from liecbench.config.task import Dirichlet, Task

Indices = NDArray[np.int64]


def epoch_order(task: Task, labels: Tensor, *, seed: int, epoch: int, rank: int, world_size: int) -> Tensor:
    """Return the examples that one rank trains on in one epoch, in order.

    With the IID partition, all examples are shuffled and divided among the ranks anew in every epoch. With a Dirichlet
    partition, each rank keeps its shard and shuffles it in every epoch.

    Args:
        task: The task, whose ``partition`` is used.
        labels: Labels of all training examples, one-dimensional if the partition is Dirichlet.
        seed: Seed of the cell.
        epoch: The epoch, from 0.
        rank: The rank.
        world_size: Number of ranks.

    Returns:
        Indices into ``labels``, int64. They depend only on the arguments.
    """
    match task.partition:
        case Dirichlet(dirichlet=alpha):
            shard = dirichlet_shards(labels.numpy(), world_size, alpha, seed)[rank]
            order = np.random.default_rng([seed, epoch, rank]).permutation(shard)
        case _:
            order = np.random.default_rng([seed, epoch]).permutation(len(labels))[rank::world_size]
    return torch.from_numpy(order)


def dirichlet_shards(labels: Indices, num_shards: int, alpha: float, seed: int) -> list[Indices]:
    """Divide n examples into disjoint shards, each with label shares drawn from Dir(``alpha``).

    Shards are filled one after the other, without replacement. When the examples of a label are used up, the shares of
    the remaining labels are drawn anew. Source: Hsu, Qi and Brown (2019, arXiv 1909.06335), who divide CIFAR-10 among
    clients of federated learning.

    Args:
        labels: The label of each of the n examples.
        num_shards: The number of shards.
        alpha: The concentration of the Dirichlet distribution.
        seed: Seed of the draws.

    Returns:
        The shards, each with ⌊n / ``num_shards``⌋ indices into ``labels``.
    """
    rng = np.random.default_rng([seed, num_shards])
    pools = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    size = len(labels) // num_shards
    return [_sample_shard(pools, alpha, size, rng) for _ in range(num_shards)]


def _sample_shard(pools: list[Indices], alpha: float, size: int, rng: np.random.Generator) -> Indices:
    """Remove ``size`` examples from ``pools``, with label shares drawn from Dir(``alpha``), and return the examples.

    ``pools`` has, for each label, the indices of the examples that are not yet in a shard.
    """
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
