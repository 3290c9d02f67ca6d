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


def test_the_order_is_a_function_of_seed_epoch_and_rank() -> None:
    first, second = run_ranks(orders, 2)

    assert first[0] == first[1]
    assert len({tuple(order) for order in (*first[1:], second[0])}) == 4
    assert not set(first[0]) & set(second[0])
