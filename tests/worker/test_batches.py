import functools

import numpy as np
import pytest
import torch

from liecbench.worker.cell_setup import set_up
from tests.distributed import run_ranks
from tests.worker.small_cells import NoLink, cell


def order_of(seed: int, epoch: int) -> list[int]:
    replica = set_up(cell({"name": "ddp"}, seed=seed), NoLink())
    batches = torch.cat(replica.batches.of_epoch(epoch)).tolist()
    replica.close()
    return [int(index) for index in batches]


def orders() -> list[list[int]]:
    return [order_of(0, 0), order_of(0, 0), order_of(0, 1), order_of(1, 0)]


def sizes(accumulate: int) -> tuple[list[int], list[list[int]], list[int]]:
    """Return the sizes of an epoch's steps, those of the last two steps' minibatches, and all indices of the epoch."""
    replica = set_up(cell({"name": "ddp"}, batch_size=50, accumulate=accumulate, last_batch="keep"), NoLink())
    steps, rng = replica.batches.of_epoch(0), np.random.default_rng(0)
    minibatches = [[len(labels) for _, labels in replica.batches.minibatches(step, rng)] for step in steps[-2:]]
    replica.close()
    return [len(step) for step in steps], minibatches, torch.cat(steps).tolist()


@pytest.mark.parametrize(
    ("accumulate", "expected"),
    [
        (1, ([50] * 14 + [18], [[50], [18]])),  # 718 of 1437 samples per rank
        (4, ([200, 200, 200, 118], [[50] * 4, [30, 30, 29, 29]])),
    ],
)
def test_a_kept_last_batch_has_the_samples_left_at_the_end(
    accumulate: int, expected: tuple[list[int], list[list[int]]]
) -> None:
    ranks = run_ranks(functools.partial(sizes, accumulate), 2)

    assert [rank[:2] for rank in ranks] == [expected, expected]
    assert len({*ranks[0][2], *ranks[1][2]}) == 2 * 718


def test_the_order_is_a_function_of_seed_epoch_and_rank() -> None:
    first, second = run_ranks(orders, 2)

    assert first[0] == first[1]
    assert len({tuple(order) for order in (*first[1:], second[0])}) == 4
    assert not set(first[0]) & set(second[0])
