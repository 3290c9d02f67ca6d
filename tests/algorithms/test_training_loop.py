"""Training loops as people write them: accumulation, 16-bit models, parameter groups, memory formats, one element."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import LIEC, PSGD, Algorithm, DoubleSqueeze, MemSGD, Neolithic
from liecbench.compressors import Sign, TopK
from tests.algorithms import network, simulation
from tests.algorithms.test_trajectories import AVERAGES_MODELS, METHODS, make
from tests.distributed import run_ranks

# Powers of two: the mean of 16-bit gradients is exact in float32, in whatever order it is summed.
NUM_WORKERS = [2, pytest.param(4, marks=pytest.mark.long)]
RATE = 0.1
SERVERS = ["root", "sharded"]
SHAPES = list(itertools.product(METHODS, SERVERS))
ACCUMULATED: dict[str, Callable[[], Algorithm]] = {
    "liec": lambda: LIEC(compressor=Sign(), average_period=3, block_bytes=512),
    "memsgd": lambda: MemSGD(compressor=TopK(0.1), block_bytes=512),
}
HALF: dict[str, Callable[[], Algorithm]] = {
    "psgd": lambda: PSGD(block_bytes=512),
    "liec": lambda: LIEC(compressor=Sign(), average_period=3, block_bytes=512),
    "doublesqueeze": lambda: DoubleSqueeze(compressor=TopK(0.1), block_bytes=512),
}
HALF_TYPES = [torch.bfloat16, torch.float16]
STRIDED: dict[str, Callable[[], Algorithm]] = {
    "psgd": PSGD,
    "liec": lambda: LIEC(compressor=Sign(), average_period=3, block_bytes=512),
    "doublesqueeze": lambda: DoubleSqueeze(compressor=TopK(0.1)),
}


def wrapped(model: nn.Module, algorithm: Algorithm | None, optimizer: torch.optim.Optimizer, **options: Any) -> Any:
    ddp = DistributedDataParallel(model, bucket_cap_mb=0.0007, **options)
    if algorithm is not None:
        algorithm.attach(ddp, optimizer)
    return ddp


def sgd(model: nn.Module) -> torch.optim.Optimizer:
    """Momentum, weight decay, and a smaller learning rate for the biases."""
    parameters = list(model.parameters())
    groups: list[dict[str, Any]] = [{"params": parameters[::2]}, {"params": parameters[1::2], "lr": RATE / 5}]
    return torch.optim.SGD(groups, lr=RATE, momentum=0.9, weight_decay=network.WEIGHT_DECAY)


def trained_by(algorithm: Algorithm | None) -> Tensor:
    model = network.build()
    optimizer = sgd(model)
    ddp = wrapped(model, algorithm, optimizer)
    for step in range(network.NUM_STEPS):
        optimizer.zero_grad()
        network.loss(ddp, step, dist.get_rank()).backward()
        optimizer.step()
    return network.flat(model)


def accumulated(algorithm: Algorithm, *, in_halves: bool) -> Tensor:
    model = network.build()
    optimizer = sgd(model)
    ddp = wrapped(model, algorithm, optimizer)
    for step in range(7):
        optimizer.zero_grad()
        inputs, labels = network.batch(step, dist.get_rank())
        if in_halves:
            with ddp.no_sync():
                (cross_entropy(ddp(inputs[:8]), labels[:8]) / 2).backward()
            (cross_entropy(ddp(inputs[8:]), labels[8:]) / 2).backward()
        else:
            cross_entropy(ddp(inputs), labels).backward()
        optimizer.step()
    return network.flat(model)


def two_synchronised_backwards_a_step() -> list[Tensor]:
    """Return the model after every optimizer step; LIEC counts two steps for each, and averages every third."""
    model = network.build()
    optimizer = sgd(model)
    ddp = wrapped(model, LIEC(compressor=Sign(), average_period=3, block_bytes=512), optimizer)
    models = []
    for step in range(6):
        optimizer.zero_grad()
        for half in range(2):
            (network.loss(ddp, 2 * step + half, dist.get_rank()) / 2).backward()
        optimizer.step()
        models.append(network.flat(model))
    return models


def half_precision(algorithm: Algorithm, dtype: torch.dtype) -> dict[str, Any]:
    model = network.build().to(dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=network.LEARNING_RATE)
    ddp = wrapped(model, algorithm, optimizer)

    def loss(module: nn.Module, step: int) -> Tensor:
        inputs, labels = network.batch(step, dist.get_rank())
        return cross_entropy(module(inputs.to(dtype)).float(), labels)

    steps, losses = [], []
    for step in range(10):
        local = torch.autograd.grad(loss(model, step), list(model.parameters()))
        optimizer.zero_grad()
        losses.append(loss(ddp, step))
        losses[-1].backward()
        optimizer.step()
        applied = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        steps.append((torch.cat([g.view(-1) for g in local]), torch.cat([g.view(-1) for g in applied])))
    memories = [memory for values in algorithm.memories().values() for memory in values]
    return {
        "steps": steps,
        "memory types": {memory.dtype for memory in memories},
        "parameter types": {parameter.dtype for parameter in model.parameters()},
        "finite": bool(network.flat(model).isfinite().all()),
        "losses": [float(value.detach()) for value in losses],
    }


def convolutions(
    algorithm: Algorithm, memory_format: torch.memory_format, *, as_view: bool
) -> tuple[bool, Tensor, float]:
    """Return whether parameters are stored out of order, their final values in order, and a compression error."""
    torch.manual_seed(5)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Tanh(), nn.Conv2d(8, 4, 3), nn.Flatten(), nn.Linear(16, 5))
    model = model.to(memory_format=memory_format)  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9)
    ddp = wrapped(model, algorithm, optimizer, gradient_as_bucket_view=as_view)
    for step in range(5):
        generator = torch.Generator().manual_seed(100 * step + dist.get_rank())
        optimizer.zero_grad()
        inputs, labels = torch.randn(16, 3, 6, 6, generator=generator), torch.arange(16) % 5
        cross_entropy(ddp(inputs), labels).backward()
        optimizer.step()
    flat = torch.cat([parameter.detach().reshape(-1) for parameter in model.parameters()])
    in_order = all(parameter.is_contiguous() for parameter in model.parameters())
    return not in_order, flat, algorithm.compression_error() or 0.0


def one_weight(method: str, server: str) -> tuple[list[float], int]:
    """Train a model of one element w on the loss (w a − b)²/2; return w after every step, and the step count."""
    torch.manual_seed(2)
    model = nn.Linear(1, 1, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    algorithm = make(method, Sign(), server=server)
    ddp = wrapped(model, algorithm, optimizer)
    weights = [model.weight.item()]
    for step in range(network.PERIOD + 2):
        a, b = line(step, dist.get_rank())
        optimizer.zero_grad()
        ((ddp(torch.tensor([[a]])) - b).square() / 2).sum().backward()
        optimizer.step()
        weights.append(model.weight.item())
    algorithm.close()
    return weights, algorithm.step


def line(step: int, rank: int) -> tuple[float, float]:
    return 0.5 + 0.25 * ((step + rank) % 4), 1.0 - 0.5 * rank + 0.1 * step


def observe() -> dict[str, Any]:
    return {
        "plain": [trained_by(None), *(trained_by(PSGD(server=s, block_bytes=512)) for s in ("root", "sharded"))],
        "accumulated": {
            name: [accumulated(made(), in_halves=halves) for halves in (True, False)]
            for name, made in ACCUMULATED.items()
        },
        "two backwards": two_synchronised_backwards_a_step(),
        "half": {(name, d): half_precision(made(), d) for name, made in HALF.items() for d in HALF_TYPES},
        "convolutions": {
            (name, as_view): [
                convolutions(made(), memory_format, as_view=as_view)
                for memory_format in (torch.channels_last, torch.contiguous_format)
            ]
            for name, made in STRIDED.items()
            for as_view in (False, True)
        },
        "one weight": {shape: one_weight(*shape) for shape in SHAPES},
    }


@pytest.fixture(scope="module", params=NUM_WORKERS, ids="{} workers".format)
def ranks(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return run_ranks(observe, request.param)


def test_psgd_with_momentum_decay_and_two_groups_equals_torchs_ddp(ranks: list[dict[str, Any]]) -> None:
    expected = ranks[0]["plain"][0]

    for rank in ranks:
        for actual in rank["plain"][1:]:
            torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ACCUMULATED)
def test_half_losses_under_no_sync_are_one_loss_on_the_whole_batch(ranks: list[dict[str, Any]], name: str) -> None:
    for rank in ranks:
        actual, expected = rank["accumulated"][name]
        torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-6)


def test_liec_averages_when_a_period_passed_between_two_optimizer_steps(ranks: list[dict[str, Any]]) -> None:
    models = torch.stack([torch.stack(rank["two backwards"]) for rank in ranks])
    equal = (models == models[:1]).all(dim=2).all(dim=0)

    assert equal.tolist() == [2 * (step + 1) // 3 > 2 * step // 3 for step in range(6)]
    assert 0 < int(equal.sum()) < 6


@pytest.mark.parametrize("dtype", HALF_TYPES, ids=str)
def test_psgd_applies_the_float32_mean_of_half_gradients_rounded_once(
    ranks: list[dict[str, Any]], dtype: torch.dtype
) -> None:
    for step in range(10):
        local = [rank["half"]["psgd", dtype]["steps"][step][0] for rank in ranks]
        expected = torch.stack(local).float().mean(dim=0).to(dtype)
        for rank in ranks:
            assert torch.equal(rank["half"]["psgd", dtype]["steps"][step][1], expected)


@pytest.mark.parametrize("dtype", HALF_TYPES, ids=str)
@pytest.mark.parametrize("name", HALF)
def test_half_models_train_with_memories_in_float32(ranks: list[dict[str, Any]], name: str, dtype: torch.dtype) -> None:
    seen = [rank["half"][name, dtype] for rank in ranks]
    losses = np.mean([rank["losses"] for rank in seen], axis=0)

    for rank in seen:
        assert rank["memory types"] == (set() if name == "psgd" else {torch.float32})
        assert rank["parameter types"] == {dtype}
        assert rank["finite"]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("as_view", [False, True], ids=["own gradients", "gradients as views"])
@pytest.mark.parametrize("name", STRIDED)
def test_channels_last_parameters_train_as_contiguous_ones(
    ranks: list[dict[str, Any]], name: str, as_view: bool
) -> None:
    for rank in ranks:
        (strided, actual, error), (strided_too, expected, expected_error) = rank["convolutions"][name, as_view]
        assert (strided, strided_too) == (True, False)
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)
        assert error == pytest.approx(expected_error, rel=1e-3)


@pytest.mark.parametrize("shape", SHAPES, ids="-".join)
def test_a_model_of_one_element_follows_the_equations(ranks: list[dict[str, Any]], shape: tuple[str, str]) -> None:
    actual = np.array([rank["one weight"][shape][0] for rank in ranks])

    np.testing.assert_allclose(actual, one_weight_by_the_equations(shape[0], actual[:, 0]), rtol=1e-5, atol=1e-6)
    assert {rank["one weight"][shape][1] for rank in ranks} == {network.PERIOD + 2}


def one_weight_by_the_equations(method: str, initial: simulation.Vector) -> simulation.Vector:
    weights, zero = initial.copy(), np.zeros(1)
    block = simulation.Block([zero] * len(weights), zero, zero)
    seen = [weights.copy()]
    for step in range(network.PERIOD + 2):
        lines = [line(step, rank) for rank in range(len(weights))]
        gradients = [np.array([a * (w * a - b)]) for w, (a, b) in zip(weights, lines, strict=True)]
        averages = (step + 1) % network.PERIOD == 0
        updates = simulation.updates(method, block, gradients, averages, simulation.scaled_sign)
        weights -= RATE * np.concatenate(updates)
        if averages and method in AVERAGES_MODELS:
            weights[:] = weights.mean()
        seen.append(weights.copy())
    return np.stack(seen, axis=1)


def test_neolithic_accumulates_as_many_batches_as_it_has_rounds() -> None:
    assert Neolithic(compressor=Sign(), rounds=3, accumulate=True).batches_per_step == 3
    assert Neolithic(compressor=Sign(), rounds=3).batches_per_step == 1
