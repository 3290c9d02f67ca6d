"""Attaching with settings that differ between the ranks."""

from collections.abc import Callable
from typing import Any, Final

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import LIEC, Algorithm, DoubleSqueeze, MemSGD, PowerSGD
from liecbench.compressors import BF16, Identity, Sign, TopK
from tests.algorithms import network
from tests.distributed import run_ranks

NUM_WORKERS: Final = 3
MAKERS: Final[dict[str, Callable[[int], Algorithm]]] = {
    "period": lambda rank: LIEC(compressor=Sign(), average_period=4 + rank // 2),
    "ratio": lambda rank: MemSGD(compressor=TopK(ratio=0.1 * (1 + rank))),
    "compressor": lambda rank: DoubleSqueeze(compressor=Sign() if rank else BF16()),
    "server": lambda rank: DoubleSqueeze(compressor=Sign(), server="root" if rank else "sharded"),
    "method": lambda rank: LIEC(compressor=Sign()) if rank else PowerSGD(),
    "several": lambda rank: PowerSGD(matrix_approximation_rank=1 + rank, start_powersgd_iter=2 + rank),
}


class WithoutFields(Identity):
    """A compressor whose repr has an address in memory, as the default one of Python has, and the rank's GPU."""

    def __repr__(self) -> str:
        gpu = torch.device("cuda", dist.get_rank())
        return f"<WithoutFields object at {hex(0x7F0000 + dist.get_rank())} on {gpu}, {gpu!r}>"


def refusal(make: Callable[[int], Algorithm]) -> str:
    _, ddp, optimizer = network.made(None)
    with pytest.raises(ValueError, match="the ranks attach with different settings") as raised:
        make(dist.get_rank()).attach(ddp, optimizer)
    LIEC(compressor=Sign()).attach(ddp, optimizer)  # the refused attach left nothing behind
    network.train(ddp, optimizer, range(1))
    return str(raised.value)


def other_parameters() -> str:
    """Return the error if rank 0 casts a parameter after DDP was made."""
    model = nn.Linear(3, 4)
    ddp = DistributedDataParallel(model)
    if dist.get_rank() == 0:
        model.weight.data = model.weight.data.bfloat16()
    with pytest.raises(ValueError, match="the ranks attach with different settings") as raised:
        MemSGD(compressor=Sign()).attach(ddp, torch.optim.SGD(model.parameters(), lr=0.1))
    return str(raised.value)


def with_addresses() -> bool:
    algorithm = MemSGD(compressor=WithoutFields())
    network.made(algorithm)
    return algorithm.is_attached


def observe() -> dict[str, Any]:
    return {
        **{name: refusal(make) for name, make in MAKERS.items()},
        "parameters": other_parameters(),
        "addresses": with_addresses(),
    }


@pytest.fixture(scope="module")
def ranks() -> list[dict[str, Any]]:
    return run_ranks(observe, NUM_WORKERS)


@pytest.mark.parametrize(
    ("name", "difference"),
    [
        ("period", "average_period is 4 on ranks 0, 1 and 5 on rank 2"),
        ("server", "server is 'sharded' on rank 0 and 'root' on ranks 1, 2"),
        ("compressor", "compressor is BF16() on rank 0 and Sign() on ranks 1, 2"),
        ("method", "method is PowerSGD on rank 0 and LIEC on ranks 1, 2"),
        ("several", "matrix_approximation_rank is 1 on rank 0 and 2 on rank 1 and 3 on rank 2"),
        ("several", "; start_powersgd_iter is 2 on rank 0 and 3 on rank 1 and 4 on rank 2"),
        ("parameters", "parameter 0 is torch.bfloat16 of shape (4, 3) on rank 0 and torch.float32 of shape (4, 3) on"),
    ],
)
def test_every_rank_names_the_settings_that_differ(name: str, difference: str, ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        assert difference in rank[name]
        assert rank[name] == ranks[0][name]


def test_options_of_compressors_count(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        assert rank["ratio"].count("TopK(ratio=") == NUM_WORKERS


def test_addresses_in_memory_and_numbers_of_gpus_are_not_compared(ranks: list[dict[str, Any]]) -> None:
    assert all(rank["addresses"] for rank in ranks)
