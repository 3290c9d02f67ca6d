"""Algorithms on a GPU: training equals the CPU's, over Gloo and over NCCL."""

import copy
import itertools
from collections.abc import Iterable
from functools import partial
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import (
    DGC,
    LIEC,
    PSGD,
    Algorithm,
    AllReduce,
    AllReduceBF16,
    DeMo,
    DoubleSqueeze,
    MemSGD,
    NonFiniteError,
    OneBitAdam,
    PowerSGD,
)
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
BUCKETED = [AllReduce, AllReduceBF16, PowerSGD]
# Methods with a compressor of their own, and their learning rates.
OWN = [
    (partial(DGC, ratio=0.1, steps_per_epoch=4, warmup_epochs=1), network.LEARNING_RATE / 10),
    (partial(OneBitAdam, freeze_step=6), 1e-3),
    (DeMo, 1e-3),
]


def train_all(device: str) -> list[torch.Tensor]:
    return [trained(combination, device) for combination in COMBINATIONS]


class Run:
    """A rank's network, trained by an algorithm."""

    def __init__(
        self, make: Any, device: str, dtype: torch.dtype = torch.float32, sizes: tuple[int, ...] = (11, 19, 13, 5)
    ) -> None:
        self.model = network.build(sizes).to(device, dtype)
        self.ddp = DistributedDataParallel(self.model, bucket_cap_mb=0.0001)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=network.LEARNING_RATE)
        self.algorithm: Algorithm = make()
        self.algorithm.attach(self.ddp, self.optimizer)

    def train(self, steps: Iterable[int]) -> None:
        for step in steps:
            self.optimizer.zero_grad()
            network.loss(self.ddp, step, dist.get_rank()).backward()
            self.optimizer.step()

    def flat(self) -> torch.Tensor:
        return network.flat(self.model).cpu()


def train_bucketed(device: str) -> list[torch.Tensor]:
    models = []
    for make in BUCKETED:
        run = Run(make, device)
        run.train(range(network.NUM_STEPS))
        run.algorithm.close()
        models.append(run.flat())
    return models


def train_own(device: str) -> list[torch.Tensor]:
    models = []
    for make, learning_rate in OWN:
        run = Run(make, device)
        run.optimizer.param_groups[0]["lr"] = learning_rate
        run.train(range(network.NUM_STEPS))
        run.algorithm.close()
        models.append(run.flat())
    return models


def nccl_ranks() -> int:
    return min(2, torch.cuda.device_count())


@pytest.mark.parametrize("train", [train_all, train_bucketed, train_own], ids=["through a server", "bucketed", "own"])
def test_steps_over_gloo_are_the_cpus(train: Any) -> None:
    expected, actual = run_ranks(train, 2, "cpu"), run_ranks(train, 2, "cuda")

    for on_cpu, on_gpu in zip(expected, actual, strict=True):
        torch.testing.assert_close(on_gpu, on_cpu, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("train", [train_all, train_bucketed, train_own], ids=["through a server", "bucketed", "own"])
def test_steps_over_nccl_are_the_cpus(train: Any) -> None:
    """Two ranks, or one if the machine has one GPU."""
    expected = run_ranks(train, nccl_ranks(), "cpu")
    actual = run_ranks(train, nccl_ranks(), "cuda", backend="cpu:gloo,cuda:nccl")

    for on_cpu, on_gpu in zip(expected, actual, strict=True):
        torch.testing.assert_close(on_gpu, on_cpu, rtol=1e-3, atol=1e-4)


def counted(make: Any) -> tuple[float, float, float]:
    run = Run(make, "cuda", sizes=(64, 512, 512, 5))
    run.train(range(4))
    run.algorithm.synchronize()
    run.algorithm.close()
    counters = run.algorithm.counters
    return counters.compress_seconds, counters.communicate_seconds, run.algorithm.after_step_seconds


@pytest.mark.parametrize("backend", ["gloo", "cpu:gloo,cuda:nccl"])
def test_compressing_communicating_and_averaging_take_time(backend: str) -> None:
    num_ranks = 2 if backend == "gloo" else nccl_ranks()
    for compress, communicate, around in run_ranks(
        counted, num_ranks, partial(LIEC, compressor=Sign(), average_period=2), backend=backend
    ):
        assert 0 < compress < 60
        assert 0 < around < 60
        assert (communicate > 0) == (num_ranks > 1)


def with_a_nan(make: Any) -> tuple[str, int]:
    """Make a gradient of the last rank NaN in step 1; return the error and its step."""
    run = Run(make, "cuda")
    last = dist.get_rank() == dist.get_world_size() - 1
    for step in range(4):
        run.optimizer.zero_grad()
        (network.loss(run.ddp, step, dist.get_rank()) * (torch.nan if last and step == 1 else 1)).backward()
        try:
            run.optimizer.step()
        except NonFiniteError as error:
            return str(error), step
    return "nothing was raised", 4


@pytest.mark.parametrize(
    "make", [PSGD, partial(MemSGD, compressor=Sign()), AllReduce, PowerSGD], ids=["psgd", "memsgd", "ddp", "powersgd"]
)
@pytest.mark.parametrize(("backend", "late"), [("gloo", 0), ("cpu:gloo,cuda:nccl", 1)])
def test_a_gradient_that_is_not_finite_stops_all_ranks_at_one_step(make: Any, backend: str, late: int) -> None:
    for said, step in run_ranks(with_a_nan, 2 if backend == "gloo" else nccl_ranks(), make, backend=backend):
        assert ("step 1" in said, step) == (True, 1 + late)


def train_without_waiting(make: Any) -> int:
    """Train three steps in which torch forbids waiting for the GPU, none of which averages; return the step count."""
    run = Run(make, "cuda")
    inputs, labels = (part.to("cuda") for part in network.batch(0, dist.get_rank()))
    for step in range(6):
        if step == 3:  # kernels are compiled by now
            torch.cuda.set_sync_debug_mode("error")
        run.optimizer.zero_grad()
        cross_entropy(run.ddp(inputs), labels).backward()
        run.optimizer.step()
    torch.cuda.set_sync_debug_mode("default")
    run.algorithm.synchronize()
    return int(run.algorithm.step)


@pytest.mark.parametrize(
    "make",
    [
        PSGD,
        AllReduceBF16,
        *(partial(method, compressor=Sign()) for method in (MemSGD, LIEC)),
        *(partial(DoubleSqueeze, compressor=compressor) for compressor in (TopK(0.1), FP16(), Int8())),
    ],
    ids=["psgd", "ddp_bf16", "memsgd", "liec", "top_k", "fp16", "int8"],
)
def test_over_nccl_the_host_never_waits_for_the_gpu(make: Any) -> None:
    assert run_ranks(train_without_waiting, nccl_ranks(), make, backend="cpu:gloo,cuda:nccl") == [6] * nccl_ranks()


def resumed(make: Any, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the models of eight steps in one go, and of a run resumed after four of them."""
    first = Run(make, device)
    first.train(range(4))
    model, state = copy.deepcopy(first.model.state_dict()), copy.deepcopy(first.algorithm.state_dict())
    first.train(range(4, 8))
    second = Run(make, device)
    second.model.load_state_dict(model)
    second.algorithm.load_state_dict(state)
    second.train(range(4, 8))
    return first.flat(), second.flat()


@pytest.mark.parametrize(
    "make", [partial(LIEC, compressor=Sign(), average_period=3), PowerSGD], ids=["liec", "powersgd"]
)
def test_memories_on_a_gpu_are_saved_and_loaded(make: Any) -> None:
    for expected, actual in run_ranks(resumed, 2, make, "cuda"):
        torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-4)


def in_16_bits(make: Any, device: str) -> torch.Tensor:
    run = Run(make, device, torch.bfloat16)
    run.train(range(8))
    return run.flat()


@pytest.mark.parametrize(
    "make", [partial(MemSGD, compressor=Sign()), PowerSGD, AllReduce], ids=["memsgd", "powersgd", "ddp"]
)
def test_parameters_of_16_bits_are_trained(make: Any) -> None:
    for on_cpu, on_gpu in zip(
        run_ranks(in_16_bits, 2, make, "cpu"), run_ranks(in_16_bits, 2, make, "cuda"), strict=True
    ):
        torch.testing.assert_close(on_gpu, on_cpu, rtol=0.05, atol=0.02)


def memory_on_the_first_gpu(make: Any) -> int:
    """Return the bytes that this process has on GPU 0 after a few steps on the last GPU."""
    last = torch.cuda.device_count() - 1
    torch.cuda.set_device(last)
    free_before, _ = torch.cuda.mem_get_info(0)
    Run(make, f"cuda:{last}").train(range(3))
    torch.cuda.synchronize(last)
    free_after, _ = torch.cuda.mem_get_info(0)
    return free_before - free_after


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="one GPU")
def test_an_algorithm_allocates_nothing_on_another_gpu() -> None:
    assert run_ranks(memory_on_the_first_gpu, 1, partial(MemSGD, compressor=Sign())) == [0]
