"""DiLoCo and SparseLoCo on real ranks: simulations of their equations, and other methods that they are equal to."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import PSGD, Algorithm, DiLoCo, LocalSGD, SparseLoCo
from liecbench.compressors import Sign, TopK
from tests.algorithms import network, simulation
from tests.algorithms.test_trajectories import SEED, SEVERAL, SIZES
from tests.distributed import run_ranks

NUM_WORKERS: Final = 2
NUM_STEPS: Final = 16
# By hand: the tensors of the network have 63, 9, 54, 6, 24 and 4 elements.
FRAGMENTS: Final = {1: [[0, 1, 2, 3, 4, 5]], 2: [[0, 1], [2, 3, 4, 5]]}
CASES: Final[dict[str, dict[str, Any]]] = {
    "plain": {"sync_every": 4},
    "streaming": {"sync_every": 8, "fragments": 2, "delay": 2, "mix": 0.25},
    "top_k with memory": {"sync_every": 4, "compressor": "top_k", "error_decay": 1.0, "outer_momentum": 0.5},
    "sign with decay": {"sync_every": 4, "fragments": 2, "delay": 1, "compressor": "sign", "error_decay": 0.95},
    "sign without memory": {"sync_every": 3, "compressor": "sign", "outer_momentum": 0.0},
}
SPARSE: Final[dict[str, dict[str, Any]]] = {
    "sparse": {"sync_every": 4, "chunk": 16, "kept": 3, "bits": 32, "outer_lr": 0.7, "outer_momentum": 0.5},
    "sparse in 2 bits": {"sync_every": 4, "chunk": 16, "kept": 5, "outer_lr": 0.7, "fragments": 2, "delay": 1},
}
UNCOMPRESSED: Final[dict[str, Any]] = {"chunk": 32, "kept": 32, "bits": 32, "error_decay": 0.0}
DENSE_STEPS: Final[dict[str, Any]] = {"sync_every": 4, "outer_lr": 0.7, "outer_momentum": 0.0}


def chunked(v: simulation.Vector, kept: int, bits: int) -> simulation.Vector:
    """Keep the largest of every 16 entries; in 2 bits, each is the mean of those of its sign and side of the mean."""
    result = np.zeros_like(v)
    for start in range(0, v.size, 16):
        piece = v[start : start + 16]
        places = start + np.argsort(-np.abs(piece), kind="stable")[:kept]
        result[places] = v[places]
    sent = result != 0
    if bits == 2:
        is_large = np.abs(result) > np.abs(result[sent]).mean()
        for group in (sent & (np.sign(result) == sign) & (is_large == large) for sign in (1, -1) for large in (0, 1)):
            result[group] = result[group].mean() if group.any() else 0.0
    return result


COMPRESSORS: Final[dict[str | None, tuple[Any, simulation.Compress]]] = {
    "sparse": (None, partial(chunked, kept=3, bits=32)),
    "sparse in 2 bits": (None, partial(chunked, kept=5, bits=2)),
    None: (None, simulation.identity),
    "sign": (Sign(), simulation.scaled_sign),
    "top_k": (TopK(0.1), simulation.top_tenth),
}


class TwoTensors(nn.Module):
    """A model whose two parameters always have the gradient 2."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))

    def forward(self, inputs: Tensor) -> Tensor:
        return 2 * (inputs * (self.first + self.second)).sum()


def trained(make: Callable[[], Algorithm], num_steps: int = NUM_STEPS, device: str = "cpu") -> Tensor:
    """Return this rank's parameters after some steps of plain SGD."""
    model = network.build(SIZES, SEED).to(device)
    ddp = DistributedDataParallel(model, bucket_cap_mb=0.0002)
    optimizer = torch.optim.SGD(model.parameters(), lr=network.LEARNING_RATE)
    algorithm = make()
    algorithm.attach(ddp, optimizer)
    for step in range(num_steps):
        optimizer.zero_grad()
        network.loss(ddp, step, dist.get_rank()).backward()
        optimizer.step()
    algorithm.synchronize()
    algorithm.close()
    return network.flat(model).cpu()


def trained_all(device: str) -> dict[str, Tensor]:
    return {name: trained(partial(made, name), device=device) for name in (*CASES, *SPARSE)}


def by_hand() -> Tensor:
    """Train as "plain" does, with torch's SGD as the outer optimizer, and return this rank's parameters."""
    model = network.build(SIZES, SEED)
    inner = torch.optim.SGD(model.parameters(), lr=network.LEARNING_RATE)
    outer_model = [p.detach().clone() for p in model.parameters()]
    outer = torch.optim.SGD(outer_model, lr=0.7, momentum=0.9, nesterov=True)
    for step in range(NUM_STEPS):
        inner.zero_grad()
        network.loss(model, step, dist.get_rank()).backward()
        inner.step()
        if step % 4 == 3:
            for anchor, parameter in zip(outer_model, model.parameters(), strict=True):
                both = [torch.empty_like(anchor) for _ in range(NUM_WORKERS)]
                dist.all_gather(both, anchor - parameter.detach())
                anchor.grad = (both[0] + both[1]) / 2
            outer.step()
            for anchor, parameter in zip(outer_model, model.parameters(), strict=True):
                parameter.detach().copy_(anchor)
    return network.flat(model)


def torchft_fixture() -> list[float]:
    model = TwoTensors()
    ddp, optimizer = DistributedDataParallel(model), torch.optim.SGD(model.parameters(), lr=1)
    algorithm = DiLoCo(sync_every=6, fragments=2, outer_lr=2.0, outer_momentum=0.0)
    algorithm.attach(ddp, optimizer)
    for _ in range(3):
        optimizer.zero_grad()
        ddp(torch.ones(1)).backward()
        optimizer.step()
    algorithm.close()
    return network.flat(model).tolist()


def observe() -> dict[str, Any]:
    return {
        "cases": trained_all("cpu"),
        "by hand": by_hand(),
        "all entries": trained(lambda: SparseLoCo(**DENSE_STEPS, **UNCOMPRESSED)),
        "dense": trained(lambda: DiLoCo(**DENSE_STEPS)),
        "every step": trained(lambda: DiLoCo(sync_every=1, outer_lr=1.0, outer_momentum=0.0)),
        "psgd": trained(PSGD),
        "one outer step": trained(lambda: DiLoCo(sync_every=4), 4),
        "one mean": trained(lambda: LocalSGD(average_period=4), 4),
        "fixture": torchft_fixture(),
    }


def made(name: str) -> Algorithm:
    if name in SPARSE:
        return SparseLoCo(**SPARSE[name])
    options = dict(CASES[name])
    options["compressor"] = COMPRESSORS[options.get("compressor")][0]
    return DiLoCo(**options, block_bytes=SEVERAL)


def simulated(name: str) -> list[simulation.Vector]:
    """Return every worker's final parameters, computed from the equations in float64."""
    own_defaults = {"error_decay": 0.0, "outer_momentum": 0.9} if name in CASES else {"error_decay": 0.95}
    given = {"outer_momentum": 0.0} | own_defaults | (CASES | SPARSE)[name]
    options: dict[str, Any] = {"fragments": 1, "delay": 0, "mix": 0.0} | given
    compress = COMPRESSORS[name if name in SPARSE else options.get("compressor")][1]
    place = "sharded" if name in CASES else "root"  # without a server, vectors are not cut either
    models = [network.build(SIZES, SEED) for _ in range(NUM_WORKERS)]
    sizes = [parameter.numel() for parameter in models[0].parameters()]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    local = [network.flat(model).double().numpy() for model in models]
    outer, momentum = local[0].copy(), np.zeros_like(local[0])
    errors, deltas = [np.zeros_like(outer) for _ in local], [np.zeros_like(outer) for _ in local]
    distance = options["sync_every"] // options["fragments"]
    for step in range(NUM_STEPS):
        for rank, model in enumerate(models):
            local[rank] = local[rank] - network.LEARNING_RATE * network.gradient(model, local[rank], step, rank)
        for fragment, tensors in enumerate(FRAGMENTS[options["fragments"]]):
            own = np.concatenate([np.arange(starts[i], starts[i + 1]) for i in tensors])
            turn = (fragment + 1) * distance % options["sync_every"]
            if (step + 1 + options["delay"]) % options["sync_every"] == turn:
                for rank, worker in enumerate(local):
                    deltas[rank][own] = outer[own] - worker[own]
            if (step + 1) % options["sync_every"] == turn:
                mean = np.zeros_like(outer)
                for block in simulation.blocks_of([sizes[i] for i in tensors], SEVERAL if name in CASES else 4):
                    places = np.concatenate([np.arange(starts[tensors[i]], starts[tensors[i] + 1]) for i in block])
                    pieces = simulation.shards_of(len(places), NUM_WORKERS, place)
                    for rank in range(NUM_WORKERS):
                        wanted = deltas[rank][places] + options["error_decay"] * errors[rank][places]
                        message = simulation.per_piece(compress, pieces)(wanted)
                        errors[rank][places] = wanted - message
                        mean[places] += message / NUM_WORKERS
                momentum[own] = options["outer_momentum"] * momentum[own] + mean[own]
                outer[own] -= 0.7 * (mean[own] + options["outer_momentum"] * momentum[own])
                for worker in local:
                    worker[own] = (1 - options["mix"]) * outer[own] + options["mix"] * worker[own]
    return local


@pytest.fixture(scope="module")
def ranks() -> list[dict[str, Any]]:
    return run_ranks(observe, NUM_WORKERS)


@pytest.mark.parametrize("name", [*CASES, *SPARSE])
def test_training_follows_the_equations(name: str, ranks: list[dict[str, Any]]) -> None:
    for rank, expected in zip(ranks, simulated(name), strict=True):
        actual = rank["cases"][name].double().numpy()
        assert np.linalg.norm(actual - expected) / np.linalg.norm(expected) < 1e-5


@pytest.mark.gpu
@pytest.mark.parametrize(("backend", "num_ranks"), [("gloo", NUM_WORKERS), ("nccl", 1)])
def test_training_on_a_gpu_is_that_of_the_cpu(backend: str, num_ranks: int) -> None:
    on_gpu = run_ranks(trained_all, num_ranks, "cuda", backend=backend)
    on_cpu = run_ranks(trained_all, num_ranks, "cpu")

    for gpu, cpu in zip(on_gpu, on_cpu, strict=True):
        for name, model in cpu.items():
            torch.testing.assert_close(gpu[name], model, rtol=1e-4, atol=1e-5)


def test_the_outer_optimizer_is_that_of_torch_to_the_bit(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        assert torch.equal(rank["cases"]["plain"], rank["by hand"])


def test_one_fragment_without_delay_and_mix_is_diloco() -> None:
    streaming = DiLoCo(sync_every=4, fragments=1, delay=0, mix=0.0)

    assert repr(streaming) == repr(DiLoCo(sync_every=4))


def test_sparseloco_with_all_entries_and_without_memory_is_diloco_without_momentum(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        torch.testing.assert_close(rank["all entries"], rank["dense"], rtol=1e-5, atol=1e-6)


def test_sparseloco_sends_112_bytes_per_chunk_and_16_per_tensor_to_every_other_rank() -> None:
    shapes = [torch.Size((64, 128)), torch.Size((4096,))]
    schedule = SparseLoCo(sync_every=2).schedule(shapes, world_size=4, step=1)

    assert schedule.server is None
    assert schedule.payload_bytes() == [(3 * (3 * 112 + 2 * 16),) * 2] * 4


def test_one_local_step_and_an_outer_rate_of_one_are_psgd(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        torch.testing.assert_close(rank["every step"], rank["psgd"], rtol=1e-5, atol=1e-6)


def test_the_first_outer_step_moves_1_33_pseudo_gradients(ranks: list[dict[str, Any]]) -> None:
    start = network.flat(network.build(SIZES, SEED))
    for rank in ranks:
        torch.testing.assert_close(
            rank["one outer step"] - start, 1.33 * (rank["one mean"] - start), rtol=1e-4, atol=1e-6
        )


def test_fragments_take_turns_as_in_torchft(ranks: list[dict[str, Any]]) -> None:
    assert [rank["fixture"] for rank in ranks] == [[-11.0, -5.0]] * NUM_WORKERS
