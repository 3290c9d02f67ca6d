from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from liecbench.config.task import Task
from liecbench.worker.data_partition import dirichlet_shards, epoch_order

LABELS = np.random.default_rng(0).integers(10, size=1437)


def task(partition: object) -> Task:
    return Task.model_validate(
        {
            "dataset": "digits",
            "model": "mlp",
            "batch_size": 8,
            "epochs": 1,
            "learning_rate": 0.1,
            "partition": partition,
        }
    )


def orders(partition: object, seed: int = 0, epoch: int = 0, world_size: int = 4) -> list[list[int]]:
    labels = torch.from_numpy(LABELS)
    return [
        epoch_order(task(partition), labels, seed=seed, epoch=epoch, rank=rank, world_size=world_size).tolist()
        for rank in range(world_size)
    ]


@given(
    labels=st.lists(st.integers(0, 5), min_size=8, max_size=200),
    num_shards=st.integers(1, 8),
    alpha=st.sampled_from([1e-3, 0.1, 1.0, 100.0]),
    seed=st.integers(0, 1000),
)
def test_shards_are_disjoint_and_equally_large(labels: list[int], num_shards: int, alpha: float, seed: int) -> None:
    shards = dirichlet_shards(np.array(labels), num_shards, alpha, seed)
    everything = np.concatenate(shards)

    assert [len(shard) for shard in shards] == [len(labels) // num_shards] * num_shards
    assert len(set(everything.tolist())) == len(everything)
    assert set(everything.tolist()) <= set(range(len(labels)))


def largest_share(alpha: float) -> float:
    """Return the share of a shard's most frequent label, averaged over shards and seeds."""
    shards = [shard for seed in range(20) for shard in dirichlet_shards(LABELS, 4, alpha, seed)]
    return float(np.mean([np.bincount(LABELS[shard]).max() / len(shard) for shard in shards]))


def test_shards_differ_more_for_smaller_alpha() -> None:
    shares = [largest_share(alpha) for alpha in (0.01, 0.1, 1.0, 1000.0)]

    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.35  # a label is a tenth of the data and a shard a quarter, so no share exceeds 0.4
    assert shares[-1] < 0.16


def test_label_shares_have_the_variance_of_the_dirichlet_distribution() -> None:
    # A share of Dir(α) over K labels has the variance (1/K)(1 − 1/K)/(Kα + 1); sampling 100 examples adds little.
    labels = np.repeat(np.arange(10), 300)
    first = [dirichlet_shards(labels, 30, 1.0, seed)[0] for seed in range(600)]
    shares = np.array([np.bincount(labels[shard], minlength=10) / 100 for shard in first])
    expected = 0.1 * 0.9 / 11 * (1 - 1 / 100) + 0.1 * 0.9 / 100

    assert float(shares.var(axis=0).mean()) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("partition", ["iid", {"dirichlet": 0.1}])
def test_the_order_is_a_function_of_seed_epoch_and_rank(partition: object) -> None:
    assert orders(partition) == orders(partition)
    assert orders(partition) != orders(partition, seed=1)
    assert orders(partition) != orders(partition, epoch=1)
    assert len({tuple(order) for order in orders(partition)}) == 4


def test_a_dirichlet_shard_stays_with_its_worker() -> None:
    first, second = (orders({"dirichlet": 0.1}, epoch=epoch) for epoch in (0, 1))

    assert [set(order) for order in first] == [set(order) for order in second]


def test_iid_data_are_redistributed_every_epoch() -> None:
    first, second = (orders("iid", epoch=epoch) for epoch in (0, 1))

    assert sorted(chain(*first)) == sorted(chain(*second)) == list(range(1437))
    assert all(set(one) != set(other) for one, other in zip(first, second, strict=True))
