import functools
import itertools
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import (
    CSER,
    CSGD,
    EF21,
    EF21BC,
    LIEC,
    PSGD,
    Algorithm,
    DoubleSqueeze,
    LocalSGD,
    MemSGD,
    Neolithic,
    SignSGD,
)
from liecbench.compressors import Compressor, Identity, Sign, TopK
from tests.algorithms import network, simulation
from tests.distributed import run_ranks

Combination = tuple[str, str, int | Literal["whole"], str]
Maker = Callable[..., Algorithm]
METHODS: dict[str, Maker] = {
    "psgd": PSGD,
    "memsgd": MemSGD,
    "doublesqueeze": DoubleSqueeze,
    "neolithic": Neolithic,
    "cser": functools.partial(CSER, average_period=network.PERIOD),
    "liec": functools.partial(LIEC, average_period=network.PERIOD),
    "ef21": EF21,
    "ef21_bc": EF21BC,
    "csgd": CSGD,
    "local_sgd": functools.partial(LocalSGD, average_period=network.PERIOD),
    "signsgd": SignSGD,
}
AVERAGES_MODELS = ("liec", "local_sgd")
ONE_MODEL = ("psgd", "memsgd", "doublesqueeze", "neolithic", "ef21", "ef21_bc", "csgd", "signsgd")
# The update is ±1 per element and step.
LEARNING_RATES = {"signsgd": network.LEARNING_RATE / 100}
UNCOMPRESSED = ("psgd", "local_sgd", "signsgd")
# With --long also the fewest workers, and an even number of more.
NUM_WORKERS = [3, *(pytest.param(number, marks=pytest.mark.long) for number in (2, 4))]
SIZES = (7, 9, 6, 4)
SEVERAL = 160
# In float32 a value within a rounding error of 0 may get another sign than in the simulation. With this seed none is so
# close: the closest of a million is 8e-6 of its scale away (``python -m tests.algorithms.margins`` finds such seeds).
SEED = 20
BLOCK_BYTES: list[int | Literal["whole"]] = ["whole", SEVERAL]
OF_THE_PAPER = ("psgd", "memsgd", "doublesqueeze", "neolithic", "cser", "liec")
IDENTITY: tuple[str, Literal["whole"], str] = ("identity", "whole", "sharded")
BECOME_PSGD = [method for method in METHODS if method not in ("local_sgd", "signsgd")]
COMBINATIONS: list[Combination] = [
    combination
    for combination in itertools.product(METHODS, ["sign", "top_k"], BLOCK_BYTES, ["root", "sharded"])
    if combination[0] in OF_THE_PAPER or combination[2] == SEVERAL
    if combination[0] not in UNCOMPRESSED or combination[1] == "sign"
]
# By default every pair of a compressor, a block size and a server place is tested; with --long every triple.
PAIRWISE = {
    ("sign", "whole", "root"),
    ("sign", SEVERAL, "sharded"),
    ("top_k", "whole", "sharded"),
    ("top_k", SEVERAL, "root"),
}


def is_long(combination: Combination) -> bool:
    return combination[1:] not in PAIRWISE and combination[0] not in UNCOMPRESSED


COMPRESSORS: dict[str, tuple[Compressor, simulation.Compress]] = {
    "sign": (Sign(), simulation.scaled_sign),
    "top_k": (TopK(0.1), simulation.top_tenth),
    "identity": (Identity(), simulation.identity),
}


def make(method: str, compressor: Compressor, **parts: Any) -> Algorithm:
    return METHODS[method](**parts, **({} if method in UNCOMPRESSED else {"compressor": compressor}))


def trained(combination: Combination, device: str = "cpu", **options: Any) -> torch.Tensor:
    """Return this rank's final parameters, trained by the package."""
    method, compressor, block_bytes, server = combination
    model = network.build(SIZES, SEED).to(device)
    # Buckets are far smaller than blocks and hold other parameters: blocks must not depend on them.
    ddp = DistributedDataParallel(model, bucket_cap_mb=0.0002)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate_of(method), weight_decay=network.WEIGHT_DECAY)
    algorithm = make(method, COMPRESSORS[compressor][0], block_bytes=block_bytes, server=server, **options)
    algorithm.attach(ddp, optimizer)
    for step in range(network.NUM_STEPS):
        optimizer.zero_grad()
        network.loss(ddp, step, dist.get_rank()).backward()
        optimizer.step()
    algorithm.close()
    return network.flat(model).cpu()


def rate_of(method: str) -> float:
    return LEARNING_RATES.get(method, network.LEARNING_RATE)


def train_all(combinations: list[Combination]) -> list[torch.Tensor]:
    return [trained(combination) for combination in combinations]


def simulated(
    combination: Combination, num_workers: int, blocks: list[list[int]] | None = None
) -> list[simulation.Vector]:
    """Return every worker's final parameters, from the simulation; ``blocks`` are indices of tensors."""
    method, compressor, block_bytes, server = combination
    models = [network.build(SIZES, SEED) for _ in range(num_workers)]
    sizes = [parameter.numel() for parameter in models[0].parameters()]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    layout = []
    for indices in blocks or simulation.blocks_of(sizes, block_bytes):
        places = np.concatenate([np.arange(starts[i], starts[i + 1]) for i in indices])
        pieces = simulation.shards_of(len(places), num_workers, server)
        zeros = np.zeros(len(places))
        state = simulation.Block([zeros] * num_workers, zeros, zeros)
        layout.append((places, state, simulation.per_piece(COMPRESSORS[compressor][1], pieces)))
    weights = [network.flat(model).double().numpy() for model in models]
    for step in range(network.NUM_STEPS):
        gradients = [
            network.gradient(model, x, step, rank) for rank, (model, x) in enumerate(zip(models, weights, strict=True))
        ]
        averages = (step + 1) % network.PERIOD == 0
        for places, state, compress in layout:
            block = simulation.updates(method, state, [g[places] for g in gradients], averages, compress)
            for rank, update in enumerate(block):
                decayed = update + network.WEIGHT_DECAY * weights[rank][places]
                weights[rank][places] -= rate_of(method) * decayed
        if method in AVERAGES_MODELS and averages:
            mean = simulation.average(weights)
            weights = [mean.copy() for _ in weights]
    return weights


@pytest.fixture(scope="module", params=NUM_WORKERS, ids="{} workers".format)
def trajectories(request: pytest.FixtureRequest) -> tuple[int, dict[Combination, list[torch.Tensor]]]:
    num_workers: int = request.param
    chosen = COMBINATIONS if request.config.getoption("--long") else [c for c in COMBINATIONS if not is_long(c)]
    combinations = [*chosen, *((m, *IDENTITY) for m in BECOME_PSGD)]
    ranks = run_ranks(train_all, num_workers, combinations)
    return num_workers, {c: [rank[i] for rank in ranks] for i, c in enumerate(combinations)}


@pytest.mark.parametrize(
    "combination",
    [pytest.param(c, marks=[pytest.mark.long] if is_long(c) else [], id="-".join(map(str, c))) for c in COMBINATIONS],
)
def test_training_follows_the_equations(
    combination: Combination, trajectories: tuple[int, dict[Combination, list[torch.Tensor]]]
) -> None:
    num_workers, finals = trajectories
    expected = np.mean(simulated(combination, num_workers), axis=0)
    actual = torch.stack(finals[combination]).double().mean(dim=0).numpy()

    assert np.linalg.norm(actual - expected) / np.linalg.norm(expected) < 1e-5


@pytest.mark.parametrize("method", BECOME_PSGD)
def test_the_identity_compressor_makes_every_method_psgd(
    method: str, trajectories: tuple[int, dict[Combination, list[torch.Tensor]]]
) -> None:
    _, finals = trajectories
    expected = finals["psgd", *IDENTITY][0]

    torch.testing.assert_close(finals[method, *IDENTITY][0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", ONE_MODEL)
def test_workers_of_methods_with_one_model_agree_to_the_bit(
    method: str, trajectories: tuple[int, dict[Combination, list[torch.Tensor]]]
) -> None:
    _, finals = trajectories

    for rank in finals[method, "sign", SEVERAL, "sharded"][1:]:
        assert torch.equal(rank, finals[method, "sign", SEVERAL, "sharded"][0])
