"""Which training samples are a worker's: alike for all, or with labels in shares of its own."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from liecbench.config.cell import Dirichlet, Task

Indices = NDArray[np.int64]


def epoch_order(task: Task, labels: Tensor, *, seed: int, epoch: int, rank: int, world_size: int) -> Tensor:
    """The samples that a rank trains on in an epoch, in order: a function of seed, epoch and rank.

    IID data are dealt anew each epoch; a Dirichlet shard stays the worker's own and is shuffled.
    """
    match task.partition:
        case Dirichlet(dirichlet=alpha):
            shard = dirichlet_shards(labels.numpy(), world_size, alpha, seed)[rank]
            order = np.random.default_rng([seed, epoch, rank]).permutation(shard)
        case _:
            order = np.random.default_rng([seed, epoch]).permutation(len(labels))[rank::world_size]
    return torch.from_numpy(order)


def dirichlet_shards(labels: Indices, num_shards: int, alpha: float, seed: int) -> list[Indices]:
    """Disjoint shards of ⌊n / num_shards⌋ samples, each with label shares drawn from Dir(α).

    As Hsu, Qi and Brown (2019, arXiv 1909.06335) divide CIFAR-10 among clients: shards draw from the labels in turn,
    by their own shares, without replacement; where a label is used up, the shares of the others are drawn anew.
    """
    random = np.random.default_rng([seed, num_shards])
    left = [random.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    size = len(labels) // num_shards
    return [_draw(left, alpha, size, random) for _ in range(num_shards)]


def _draw(left: list[Indices], alpha: float, size: int, random: np.random.Generator) -> Indices:
    """Take ``size`` samples out of ``left``, which loses them."""
    drawn: list[Indices] = []
    missing = size
    while missing:
        available = [label for label, pool in enumerate(left) if len(pool)]
        shares = random.dirichlet(np.full(len(available), alpha))
        for label, wanted in zip(available, random.multinomial(missing, shares), strict=True):
            drawn.append(left[label][:wanted])
            left[label] = left[label][wanted:]
        missing = size - sum(map(len, drawn))
    return np.concatenate(drawn)
