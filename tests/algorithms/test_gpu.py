"""Algorithms on a GPU: the steps are the CPU's, over Gloo and over NCCL."""

import itertools
from functools import partial
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import DDP, DDPBF16, LIEC, PSGD, Algorithm, DoubleSqueeze, MemSGD, NonFiniteError, PowerSGD
from liecbench.compressors import FP16, Int8, Sign, TopK
from tests.algorithms import network
from tests.algorithms.test_trajectories import METHODS, SEVERAL, UNCOMPRESSED, Combination, trained
from tests.distributed import run_ranks

pytestmark = pytest.mark.gpu
COMBINATIONS: list[Combination] = [
    (method, compressor, SEVERAL, server)
    for method, compressor, server in itertools.product(METHODS, ["sign", "top_k"], ["root", "sharded"])
    if method not in UNCOMPRESSED or compressor == "sign"
]
BUCKETED = [DDP, DDPBF16, PowerSGD]


def train_all(device: str) -> list[torch.Tensor]:
    return [trained(combination, device) for combination in COMBINATIONS]


def train_bucketed(device: str) -> list[torch.Tensor]:
    models = []
    for make in BUCKETED:
        model = network.build().to(device)
        ddp = DistributedDataParallel(model, bucket_cap_mb=0.0001)
        optimizer = torch.optim.SGD(model.parameters(), lr=network.LEARNING_RATE)
        algorithm: Algorithm = make()
        algorithm.attach(ddp, optimizer)
        for step in range(network.NUM_STEPS):
            optimizer.zero_grad()
            network.loss(ddp, step, dist.get_rank()).backward()
            optimizer.step()
        algorithm.close()
        models.append(network.flat(model).cpu())
    return models


def nccl_ranks() -> int:
    return min(2, torch.cuda.device_count())


@pytest.mark.parametrize("train", [train_all, train_bucketed], ids=["through a server", "bucketed"])
def test_steps_over_gloo_are_the_cpus(train: Any) -> None:
    expected, actual = run_ranks(train, 2, "cpu"), run_ranks(train, 2, "cuda")

    for on_cpu, on_gpu in zip(expected, actual, strict=True):
        torch.testing.assert_close(on_gpu, on_cpu, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("train", [train_all, train_bucketed], ids=["through a server", "bucketed"])
def test_steps_over_nccl_are_the_cpus(train: Any) -> None:
    """One rank where the machine has one GPU."""
    expected = run_ranks(train, nccl_ranks(), "cpu")
    actual = run_ranks(train, nccl_ranks(), "cuda", backend="cpu:gloo,cuda:nccl")

    for on_cpu, on_gpu in zip(expected, actual, strict=True):
        torch.testing.assert_close(on_gpu, on_cpu, rtol=1e-3, atol=1e-4)


def counted(make: Any) -> tuple[float, float, float]:
    model = network.build((64, 512, 512, 5)).to("cuda")
    ddp = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=network.LEARNING_RATE)
    algorithm = make()
    algorithm.attach(ddp, optimizer)
    for step in range(4):
        optimizer.zero_grad()
        network.loss(ddp, step, dist.get_rank()).backward()
        optimizer.step()
    algorithm.settle()
    algorithm.close()
    counters = algorithm.counters
    return counters.compress_seconds, counters.communicate_seconds, algorithm.around_step_seconds


@pytest.mark.parametrize("backend", ["gloo", "cpu:gloo,cuda:nccl"])
def test_compressing_communicating_and_averaging_take_time(backend: str) -> None:
    num_ranks = 2 if backend == "gloo" else nccl_ranks()
    for compress, communicate, around in run_ranks(
        counted, num_ranks, partial(LIEC, compressor=Sign(), average_period=2), backend=backend
    ):
        assert 0 < compress < 60
        assert 0 < around < 60
        assert (communicate > 0) == (num_ranks > 1)


def poisoned(make: Any) -> tuple[str, int]:
    """A gradient of the last rank is not a number in step 1."""
    model = network.build().to("cuda")
    ddp = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=network.LEARNING_RATE)
    algorithm = make()
    algorithm.attach(ddp, optimizer)
    last = dist.get_rank() == dist.get_world_size() - 1
    for step in range(4):
        optimizer.zero_grad()
        (network.loss(ddp, step, dist.get_rank()) * (torch.nan if last and step == 1 else 1)).backward()
        try:
            optimizer.step()
        except NonFiniteError as error:
            return str(error), step
    return "nothing was raised", 4


@pytest.mark.parametrize("make", [PSGD, partial(MemSGD, compressor=Sign()), DDP], ids=["psgd", "memsgd", "ddp"])
@pytest.mark.parametrize(("backend", "late"), [("gloo", 0), ("cpu:gloo,cuda:nccl", 1)])
def test_what_is_not_finite_ends_all_ranks_alike(make: Any, backend: str, late: int) -> None:
    for said, step in run_ranks(poisoned, 2 if backend == "gloo" else nccl_ranks(), make, backend=backend):
        assert ("step 1" in said, step) == (True, 1 + late)


def train_without_waiting(make: Any) -> int:
    """Three steps, none of which averages, in which torch lets nobody wait for the GPU; how many were counted."""
    model = network.build().to("cuda")
    ddp = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=network.LEARNING_RATE)
    algorithm = make()
    algorithm.attach(ddp, optimizer)
    inputs, labels = (part.to("cuda") for part in network.batch(0, dist.get_rank()))
    for step in range(6):
        if step == 3:  # kernels are compiled by now
            torch.cuda.set_sync_debug_mode("error")
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(ddp(inputs), labels).backward()
        optimizer.step()
    torch.cuda.set_sync_debug_mode("default")
    algorithm.settle()
    return int(algorithm.step)


@pytest.mark.parametrize(
    "make",
    [
        PSGD,
        DDPBF16,
        *(partial(method, compressor=Sign()) for method in (MemSGD, LIEC)),
        *(partial(DoubleSqueeze, compressor=compressor) for compressor in (TopK(0.1), FP16(), Int8())),
    ],
    ids=["psgd", "ddp_bf16", "memsgd", "liec", "top_k", "fp16", "int8"],
)
def test_over_nccl_the_host_waits_for_nothing(make: Any) -> None:
    assert run_ranks(train_without_waiting, nccl_ranks(), make, backend="cpu:gloo,cuda:nccl") == [6] * nccl_ranks()
