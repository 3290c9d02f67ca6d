import itertools
from typing import Any, Literal

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import LIEC, PSGD, Algorithm, DoubleSqueeze, MemSGD
from liecbench.compressors import Compressor, Identity, Sign, TopK
from tests.algorithms import network, simulation
from tests.distributed import run_ranks

Combination = tuple[str, str, int | Literal["whole"], str]
METHODS = ["psgd", "memsgd", "doublesqueeze", "liec"]
SEVERAL = 512
BLOCK_BYTES: list[int | Literal["whole"]] = ["whole", SEVERAL]
COMBINATIONS: list[Combination] = [
    combination
    for combination in itertools.product(METHODS, ["sign", "top_k"], BLOCK_BYTES, ["root", "sharded"])
    if combination[:2] != ("psgd", "top_k")  # P-SGD compresses nothing
]
COMPRESSORS: dict[str, tuple[Compressor, simulation.Compress]] = {
    "sign": (Sign(), simulation.scaled_sign),
    "top_k": (TopK(0.1), simulation.top_tenth),
    "identity": (Identity(), simulation.identity),
}


def make(method: str, compressor: Compressor, **parts: Any) -> Algorithm:
    match method:
        case "psgd":
            return PSGD(**parts)
        case "memsgd":
            return MemSGD(compressor=compressor, **parts)
        case "doublesqueeze":
            return DoubleSqueeze(compressor=compressor, **parts)
    return LIEC(compressor=compressor, average_period=network.PERIOD, **parts)


def trained(combination: Combination) -> torch.Tensor:
    """This rank's final parameters, trained by the package."""
    method, compressor, block_bytes, server = combination
    model = network.build()
    # Buckets far smaller than blocks, and of other shapes: blocks must not depend on them.
    ddp = DistributedDataParallel(model, bucket_cap_mb=0.0007)
    optimizer = torch.optim.SGD(model.parameters(), lr=network.LEARNING_RATE, weight_decay=network.WEIGHT_DECAY)
    algorithm = make(method, COMPRESSORS[compressor][0], block_bytes=block_bytes, server=server)
    algorithm.attach(ddp, optimizer)
    for step in range(network.NUM_STEPS):
        optimizer.zero_grad()
        network.loss(ddp, step, dist.get_rank()).backward()
        optimizer.step()
    algorithm.close()
    return network.flat(model)


def train_all(combinations: list[Combination]) -> list[torch.Tensor]:
    return [trained(combination) for combination in combinations]


def simulated(combination: Combination, num_workers: int) -> list[simulation.Vector]:
    """Every worker's final parameters, by the equations."""
    method, compressor, block_bytes, server = combination
    models = [network.build() for _ in range(num_workers)]
    sizes = [parameter.numel() for parameter in models[0].parameters()]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    layout = []
    for indices in simulation.blocks_of(sizes, block_bytes):
        places = np.concatenate([np.arange(starts[i], starts[i + 1]) for i in indices])
        pieces = simulation.shards_of(len(places), num_workers, server)
        zeros = np.zeros(len(places))
        state = simulation.Block([zeros.copy() for _ in models], zeros.copy())
        layout.append((places, state, simulation.per_piece(COMPRESSORS[compressor][1], pieces)))
    weights = [network.flat(model).double().numpy() for model in models]
    for step in range(network.NUM_STEPS):
        gradients = [
            gradient(model, x, step, rank) for rank, (model, x) in enumerate(zip(models, weights, strict=True))
        ]
        for places, state, compress in layout:
            block = simulation.updates(method, state, [g[places] for g in gradients], step, network.PERIOD, compress)
            for rank, update in enumerate(block):
                decayed = update + network.WEIGHT_DECAY * weights[rank][places]
                weights[rank][places] -= network.LEARNING_RATE * decayed
        if method == "liec" and (step + 1) % network.PERIOD == 0:
            mean = simulation.average(weights)
            weights = [mean.copy() for _ in weights]
    return weights


def gradient(model: torch.nn.Module, weights: simulation.Vector, step: int, rank: int) -> simulation.Vector:
    torch.nn.utils.vector_to_parameters(torch.from_numpy(weights).float(), model.parameters())
    model.zero_grad()
    network.loss(model, step, rank).backward()
    return torch.cat([p.grad.view(-1) for p in model.parameters() if p.grad is not None]).double().numpy()


@pytest.fixture(scope="module", params=[2, 4], ids=["2 workers", "4 workers"])
def trajectories(request: pytest.FixtureRequest) -> tuple[int, dict[Combination, list[torch.Tensor]]]:
    num_workers: int = request.param
    combinations = [*COMBINATIONS, *((m, "identity", SEVERAL, "sharded") for m in METHODS)]
    ranks = run_ranks(train_all, num_workers, combinations)
    return num_workers, {c: [rank[i] for rank in ranks] for i, c in enumerate(combinations)}


@pytest.mark.parametrize("combination", COMBINATIONS, ids=lambda c: "-".join(map(str, c)))
def test_training_follows_the_equations(
    combination: Combination, trajectories: tuple[int, dict[Combination, list[torch.Tensor]]]
) -> None:
    num_workers, finals = trajectories
    expected = np.mean(simulated(combination, num_workers), axis=0)
    actual = torch.stack(finals[combination]).double().mean(dim=0).numpy()

    assert np.linalg.norm(actual - expected) / np.linalg.norm(expected) < 1e-5


@pytest.mark.parametrize("method", METHODS)
def test_the_identity_compressor_makes_every_method_psgd(
    method: str, trajectories: tuple[int, dict[Combination, list[torch.Tensor]]]
) -> None:
    _, finals = trajectories
    expected = finals["psgd", "identity", SEVERAL, "sharded"][0]

    torch.testing.assert_close(finals[method, "identity", SEVERAL, "sharded"][0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", ["psgd", "memsgd", "doublesqueeze"])
def test_workers_of_methods_with_one_model_agree_to_the_bit(
    method: str, trajectories: tuple[int, dict[Combination, list[torch.Tensor]]]
) -> None:
    _, finals = trajectories

    for rank in finals[method, "sign", SEVERAL, "sharded"][1:]:
        assert torch.equal(rank, finals[method, "sign", SEVERAL, "sharded"][0])
