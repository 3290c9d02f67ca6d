"""Simulated workers against the methods' equations, and against ranks that exchange messages."""

import functools
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import CSER, CSGD, DGC, LIEC, Algorithm, BlockAlgorithm, DiLoCo, DoubleSqueeze, SignSGD
from liecbench.algorithms.base import NonFiniteError
from liecbench.algorithms.simulated_workers import SimulatedWorkers
from liecbench.compressors import QSGD, RandomK, Sign, TopK
from tests.algorithms import simulation
from tests.algorithms.test_trajectories import AVERAGES_MODELS, COMPRESSORS, METHODS, make
from tests.distributed import run_ranks

NUM_WORKERS, NUMEL, NUM_STEPS, RATE = 3, 53, 12, 0.1
PERIOD = 5  # of METHODS
START = torch.linspace(-1, 1, NUMEL)


def noise(step: int, rank: int) -> Tensor:
    return torch.randn(NUMEL, generator=torch.Generator().manual_seed(100 * step + rank))


def gradient(model: Tensor, step: int, rank: int) -> Tensor:
    """Return a worker's gradient of Σ (j + 1) x_j² / (2 · NUMEL), with noise."""
    return model * torch.arange(1, NUMEL + 1) / NUMEL + noise(step, rank)


def simulate(algorithm: Algorithm, num_workers: int = NUM_WORKERS) -> Tensor:
    """Return every worker's final model, of shape [num_workers, NUMEL]."""
    assert isinstance(algorithm, BlockAlgorithm)
    workers = SimulatedWorkers(algorithm, START, num_workers=num_workers, learning_rate=RATE)
    for step in range(NUM_STEPS):
        workers.step(torch.stack([gradient(model, step, rank) for rank, model in enumerate(workers.models)]))
    return workers.models


def by_the_equations(method: str, compress: simulation.Compress, server: str) -> list[simulation.Vector]:
    weights = [START.double().numpy() for _ in range(NUM_WORKERS)]
    zeros = np.zeros(NUMEL)
    state = simulation.Block([zeros] * NUM_WORKERS, zeros, zeros)
    compress = simulation.per_piece(compress, simulation.shards_of(NUMEL, NUM_WORKERS, server))
    for step in range(NUM_STEPS):
        gradients = [
            gradient(torch.from_numpy(x).float(), step, rank).double().numpy() for rank, x in enumerate(weights)
        ]
        averages = (step + 1) % PERIOD == 0
        updates = simulation.updates(method, state, gradients, averages, compress)
        weights = [x - RATE * u for x, u in zip(weights, updates, strict=True)]
        if method in AVERAGES_MODELS and averages:
            weights = [simulation.average(weights)] * NUM_WORKERS
    return weights


@pytest.mark.parametrize("server", ["root", "sharded"])
@pytest.mark.parametrize("compressor", ["sign", "top_k"])
@pytest.mark.parametrize("method", METHODS)
def test_simulated_workers_follow_the_equations(method: str, compressor: str, server: str) -> None:
    ours, theirs = COMPRESSORS[compressor]
    expected = np.stack(by_the_equations(method, theirs, server))

    np.testing.assert_allclose(simulate(make(method, ours, server=server)).numpy(), expected, rtol=1e-4, atol=1e-5)


CELLS: dict[str, Callable[[], Algorithm]] = {
    "liec, sign, root": functools.partial(LIEC, compressor=Sign(), average_period=5, server="root"),
    "liec, top_k, sharded": functools.partial(LIEC, compressor=TopK(0.2), average_period=5),
    "doublesqueeze, random_k, sharded": functools.partial(DoubleSqueeze, compressor=RandomK(0.3, seed=1)),
    "cser, random_k, root": functools.partial(CSER, compressor=RandomK(0.3, seed=1), average_period=4, server="root"),
    "csgd, qsgd, sharded": functools.partial(CSGD, compressor=QSGD()),
    "signsgd, root": functools.partial(SignSGD, server="root"),
}


class Bowl(nn.Module):
    """The function of ``gradient``."""

    def __init__(self) -> None:
        super().__init__()
        self.x = nn.Parameter(START.clone())

    def forward(self, step: int, rank: int) -> Tensor:
        return (self.x * (self.x * torch.arange(1, NUMEL + 1) / (2 * NUMEL) + noise(step, rank))).sum()


def exchanged() -> dict[str, Tensor]:
    """Return this rank's final model for every cell, trained by DistributedDataParallel over a process group."""
    finals = {}
    for name, make_algorithm in CELLS.items():
        model, algorithm = Bowl(), make_algorithm()
        ddp = DistributedDataParallel(model)
        optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
        algorithm.attach(ddp, optimizer)
        for step in range(NUM_STEPS):
            optimizer.zero_grad()
            ddp(step, dist.get_rank()).backward()
            optimizer.step()
        algorithm.synchronize()
        algorithm.close()
        finals[name] = model.x.detach()
    return finals


@pytest.fixture(scope="module")
def ranks() -> list[dict[str, Tensor]]:
    return run_ranks(exchanged, NUM_WORKERS)


@pytest.mark.parametrize("cell", CELLS)
def test_simulated_workers_end_where_ranks_end(ranks: list[dict[str, Tensor]], cell: str) -> None:
    actual = simulate(CELLS[cell]())

    torch.testing.assert_close(actual, torch.stack([rank[cell] for rank in ranks]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("algorithm", [DGC(warmup_epochs=0), DiLoCo()], ids=["dgc", "diloco"])
def test_other_methods_are_refused(algorithm: BlockAlgorithm) -> None:
    with pytest.raises(ValueError, match="cannot be simulated"):
        SimulatedWorkers(algorithm, START, num_workers=2, learning_rate=RATE)


def test_a_gradient_that_is_not_finite_is_an_error() -> None:
    workers = SimulatedWorkers(LIEC(compressor=Sign()), START, num_workers=2, learning_rate=RATE)

    with pytest.raises(NonFiniteError, match="step 0"):
        workers.step(torch.stack([START, torch.full_like(START, torch.inf)]))
