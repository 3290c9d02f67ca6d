import ctypes
import importlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import (
    CSER,
    CSGD,
    DGC,
    EF21,
    EF21BC,
    LIEC,
    PSGD,
    Algorithm,
    DeMo,
    DiLoCo,
    DoubleSqueeze,
    LocalSGD,
    MemSGD,
    Neolithic,
    OneBitAdam,
    SignSGD,
    SparseLoCo,
)
from liecbench.compressors import Sign
from tests.distributed import run_ranks

BLOCK_BYTES = 16 * 2**20
OTHER = 0.7  # blocks for everything small; less than one, so that one too many is noticed
MESSAGES = 8 / 32  # blocks that compressed messages of one round take at a time
# Blocks of memory by the method's definition: on every worker, and on the server in addition.
METHODS: dict[str, tuple[Callable[..., Algorithm], int, int]] = {
    "psgd": (PSGD, 0, 0),
    "memsgd": (partial(MemSGD, compressor=Sign()), 1, 0),
    "doublesqueeze": (partial(DoubleSqueeze, compressor=Sign()), 1, 1),
    "neolithic": (partial(Neolithic, compressor=Sign()), 1, 1),
    "cser": (partial(CSER, compressor=Sign(), average_period=2), 1, 0),
    "liec": (partial(LIEC, compressor=Sign(), average_period=2), 0, 1),
    "ef21": (partial(EF21, compressor=Sign()), 2, 0),
    "ef21_bc": (partial(EF21BC, compressor=Sign()), 2, 1),
    "csgd": (partial(CSGD, compressor=Sign()), 0, 0),
    "local_sgd": (partial(LocalSGD, average_period=2), 0, 0),
    "signsgd": (SignSGD, 0, 0),
    "onebit_adam": (partial(OneBitAdam, freeze_step=1), 3, 1),
    "demo": (partial(DeMo, kept=1), 1, 0),
    "dgc": (partial(DGC, warmup_epochs=0), 2, 0),
    "diloco": (partial(DiLoCo, sync_every=2, compressor=Sign(), error_decay=1.0), 3, 0),
    "sparseloco": (partial(SparseLoCo, sync_every=2), 2, 0),
}
WITHOUT_SERVER = ("demo", "dgc", "sparseloco")
COUNTS = 1 / 4  # blocks that DeMo takes to count a coefficient's senders, a byte each
M_MMAP_THRESHOLD = -3  # of malloc.h
TIES = 1  # blocks that top_k takes for a while if all magnitudes are equal, as they are here


class Flat(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(BLOCK_BYTES // 4))

    def forward(self, scale: Tensor) -> Tensor:
        return self.weight.sum() * scale


def resident_bytes(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) * 1024


def blocks_needed(name: str) -> float:
    """Return by how many blocks this rank's resident memory grows above the need of DDP and SGD themselves."""
    model = Flat()
    ddp = DistributedDataParallel(model, bucket_cap_mb=1 << 20, gradient_as_bucket_view=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        ddp(torch.ones(())).backward()
        optimizer.step()
    place = {} if name in WITHOUT_SERVER else {"server": "root"}
    algorithm = METHODS[name][0](block_bytes="whole", **place)
    Path("/proc/self/clear_refs").write_text("5")
    before = resident_bytes("VmRSS")
    algorithm.attach(ddp, optimizer)
    for _ in range(3):
        ddp(torch.ones(())).backward()
        optimizer.step()
    grown = resident_bytes("VmHWM") - before
    algorithm.close()
    return grown / BLOCK_BYTES


def needed_by_all() -> list[float]:
    # glibc's allocator then gives blocks back to the kernel when they are freed.
    assert ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, BLOCK_BYTES // 32) == 1
    # The memory of numba itself is no method's.
    compressing = (Sign, SignSGD, DGC, DeMo, SparseLoCo)
    for module in (module for cls in compressing for module in cls.cpu_kernels):
        importlib.import_module(module)
    return [blocks_needed(name) for name in METHODS]


@pytest.fixture(scope="module")
def needed() -> list[list[float]]:
    return run_ranks(needed_by_all, 3)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("rank", [0, 1], ids=["server", "worker"])
def test_a_method_holds_its_memories_and_two_blocks_of_scratch(name: str, rank: int, needed: list[list[float]]) -> None:
    _, of_worker, of_server = METHODS[name]
    blocks = of_worker + (of_server if rank == 0 else 0) + 2
    messages = MESSAGES * (2 if name == "neolithic" else 1) + TIES * (name == "dgc") + COUNTS * (name == "demo")

    assert needed[rank][list(METHODS).index(name)] < blocks + messages + OTHER
