"""An algorithm's own process group in scripts that destroy their groups."""

import datetime as dt
import os
import tempfile

import torch.distributed as dist
from torch.distributed import ProcessGroup

from liecbench.algorithms import PSGD, AllReduce
from tests.algorithms import network
from tests.algorithms.network import made, train
from tests.distributed import run_ranks

NUM_WORKERS = 3


def pair() -> ProcessGroup:
    """Return a group of this rank and another, or for rank 2 of itself alone."""
    ranks = [2] if dist.get_rank() == 2 else [0, 1]
    group = dist.new_group(ranks, use_local_synchronization=True, timeout=dt.timedelta(seconds=20))
    assert isinstance(group, ProcessGroup)
    return group


def trained(algorithm: PSGD, group: ProcessGroup | None) -> list[float]:
    model, ddp, optimizer = made(algorithm, process_group=group)
    train(ddp, optimizer, range(2))
    return network.flat(model).tolist()


def after_a_new_start() -> bool:
    """Destroy all groups, one of them in use and one unused; return whether training in new groups is as before."""
    first, second, third = PSGD(), PSGD(), PSGD()
    before = trained(first, pair())
    first.detach()
    store, rank = dist.distributed_c10d._get_default_store(), dist.get_rank()
    trained(second, None)
    dist.barrier()
    dist.destroy_process_group()
    second.close()
    again = dist.PrefixStore("again", store)
    dist.init_process_group("gloo", store=again, rank=rank, world_size=NUM_WORKERS)
    after = trained(third, pair())
    third.detach()
    return before == after


def test_own_groups_work_after_all_groups_were_destroyed() -> None:
    assert run_ranks(after_a_new_start, NUM_WORKERS) == [True] * NUM_WORKERS


def train_often() -> None:
    """Train and detach in a function, so that the last callback of a step may outlive the algorithm."""

    def once() -> None:
        algorithm = AllReduce()
        _, ddp, optimizer = made(algorithm)
        train(ddp, optimizer, range(1))
        algorithm.detach()

    for _ in range(30):
        once()


def test_a_group_is_not_freed_on_one_of_its_own_threads() -> None:
    run_ranks(train_often, 2)


def printed_by_detach() -> bytes:
    algorithm = PSGD()
    trained(algorithm, None)
    before = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        algorithm.detach()
        os.dup2(before, 2)
        file.seek(0)
        return file.read()


def test_torch_warns_of_nothing_when_a_method_is_detached() -> None:
    assert run_ranks(printed_by_detach, 2) == [b"", b""]
