import itertools
from dataclasses import dataclass, field

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import Algorithm
from liecbench.compressors import Sign, TopK
from tests.algorithms import network, simulation
from tests.algorithms.test_trajectories import make
from tests.distributed import run_ranks

Case = tuple[str, str, str]
NUM_WORKERS = 3
NUM_STEPS = 10
BLOCK_BYTES = 512
TOLERANCE = 1e-5
COMPRESSORS = {"sign": Sign(), "top_k": TopK(0.1)}
# The memories whose content has not yet been applied to the model: x̄ − η · (their mean over the workers, or their union
# over the servers) moves as SGD does. CSER's workers have applied their errors already.
OWED = {
    "memsgd": ["error"],
    "doublesqueeze": ["error", "server_error"],
    "neolithic": ["error", "server_error"],
    "cser": [],
    "liec": ["server_error"],
    "local_sgd": [],
}
LOCAL_MODELS = ("cser", "liec", "local_sgd")
CASES: list[Case] = [
    case
    for case in itertools.product([*OWED, "ef21", "ef21_bc"], COMPRESSORS, ["root", "sharded"])
    if case[:2] != ("local_sgd", "top_k")
]


def is_long(case: Case) -> bool:
    """By default a compressor meets one place of the server."""
    return case[1:] in [("sign", "root"), ("top_k", "sharded")]


@dataclass
class Trace:
    """The training of one rank, or of all ranks with a first dimension of ranks: one row per step.

    Elements are in the blocks' order. A server's memory is a whole vector with zeros outside of the rank's shard.
    """

    models: Tensor
    gradients: Tensor
    memories: dict[str, Tensor] = field(default_factory=dict)

    def mean(self, name: str) -> Tensor:
        """Return the mean of the workers' memories, or the sum of the servers', which are disjoint."""
        return self.memories[name].sum(dim=0) if name.startswith("server") else self.memories[name].mean(dim=0)


def reverse_flat(tensors: list[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().view(-1) for tensor in reversed(tensors)])


def block_sizes(model: nn.Module) -> list[int]:
    sizes = [parameter.numel() for parameter in model.parameters()]
    return [sum(sizes[i] for i in block) for block in simulation.blocks_of(sizes, BLOCK_BYTES)]


def as_vector(name: str, pieces: list[Tensor], sizes: list[int], server: str) -> Tensor:
    if not name.startswith("server"):
        return torch.cat(pieces)
    vectors = [torch.zeros(size) for size in sizes]
    for vector, piece in zip(vectors, pieces, strict=True):
        shards = simulation.shards_of(len(vector), dist.get_world_size(), server)
        served = shards[dist.get_rank()] if dist.get_rank() < len(shards) else slice(0, 0)
        vector[served] = piece
    return torch.cat(vectors)


def local_gradient(model: nn.Module, step: int) -> Tensor:
    parameters = list(model.parameters())
    return reverse_flat(list(torch.autograd.grad(network.loss(model, step, dist.get_rank()), parameters)))


def memories_of(algorithm: Algorithm, model: nn.Module, server: str) -> dict[str, Tensor]:
    memories = algorithm.memories()
    return {name: as_vector(name, pieces, block_sizes(model), server) for name, pieces in memories.items()}


def traced(case: Case) -> Trace:
    method, compressor, server = case
    model = network.build()
    ddp = DistributedDataParallel(model, bucket_cap_mb=0.0007)
    optimizer = torch.optim.SGD(model.parameters(), lr=network.LEARNING_RATE)
    algorithm = make(method, COMPRESSORS[compressor], block_bytes=BLOCK_BYTES, server=server)
    algorithm.attach(ddp, optimizer)
    models, gradients = [reverse_flat(list(model.parameters()))], []
    memories = [memories_of(algorithm, model, server)]
    for step in range(NUM_STEPS):
        gradients.append(local_gradient(model, step))
        optimizer.zero_grad()
        network.loss(ddp, step, dist.get_rank()).backward()
        optimizer.step()
        models.append(reverse_flat(list(model.parameters())))
        memories.append(memories_of(algorithm, model, server))
    algorithm.close()
    names = memories[0]
    return Trace(
        torch.stack(models), torch.stack(gradients), {n: torch.stack([step[n] for step in memories]) for n in names}
    )


def trace_all(cases: list[Case]) -> list[Trace]:
    return [traced(case) for case in cases]


@pytest.fixture(scope="module")
def traces(pytestconfig: pytest.Config) -> dict[Case, Trace]:
    chosen = [case for case in CASES if pytestconfig.getoption("--long") or not is_long(case)]
    ranks = run_ranks(trace_all, NUM_WORKERS, chosen)
    return {case: stack_ranks([rank[i] for rank in ranks]) for i, case in enumerate(chosen)}


def stack_ranks(ranks: list[Trace]) -> Trace:
    def stacked(tensors: list[Tensor]) -> Tensor:
        return torch.stack(tensors).double()

    return Trace(
        stacked([rank.models for rank in ranks]),
        stacked([rank.gradients for rank in ranks]),
        {name: stacked([rank.memories[name] for rank in ranks]) for name in ranks[0].memories},
    )


def cases(*methods: str) -> pytest.MarkDecorator:
    chosen = [case for case in CASES if case[0] in methods]
    return pytest.mark.parametrize(
        "case",
        [pytest.param(case, marks=[pytest.mark.long] if is_long(case) else [], id="-".join(case)) for case in chosen],
    )


def assert_close(actual: Tensor, expected: Tensor) -> None:
    """Compare row by row, relative to the row's norm."""
    distances = (actual - expected).norm(dim=-1) / expected.norm(dim=-1)
    assert float(distances.max()) < TOLERANCE


@cases(*OWED)
def test_the_virtual_iterate_follows_sgd_in_every_step(case: Case, traces: dict[Case, Trace]) -> None:
    trace = traces[case]
    virtual = trace.models.mean(dim=0)
    for name in OWED[case[0]]:
        virtual = virtual - network.LEARNING_RATE * trace.mean(name)
        assert float(trace.mean(name).norm(dim=-1).max()) > 0.1

    assert_close(virtual.diff(dim=0), -network.LEARNING_RATE * trace.gradients.mean(dim=0))


@cases("cser")
def test_cser_workers_agree_on_their_model_less_its_error(case: Case, traces: dict[Case, Trace]) -> None:
    trace = traces[case]
    corrected = trace.models - network.LEARNING_RATE * trace.memories["error"]

    assert_close(corrected, corrected.mean(dim=0).expand_as(corrected))


@cases(*LOCAL_MODELS)
def test_local_models_part_and_meet_where_they_are_averaged(case: Case, traces: dict[Case, Trace]) -> None:
    models = traces[case].models
    apart = (models - models.mean(dim=0)).norm(dim=-1).amax(dim=0) > 1e-3
    meet = [] if case[0] == "cser" else [network.PERIOD, 2 * network.PERIOD]

    assert apart.tolist() == [step != 0 and step not in meet for step in range(NUM_STEPS + 1)]


@cases("memsgd", "doublesqueeze", "neolithic", "ef21", "ef21_bc")
def test_one_model_is_the_same_on_every_worker_in_every_step(case: Case, traces: dict[Case, Trace]) -> None:
    models = traces[case].models

    assert torch.equal(models, models[:1].expand_as(models))


@cases("ef21")
def test_ef21_workers_hold_the_mean_of_their_estimates(case: Case, traces: dict[Case, Trace]) -> None:
    memories = traces[case].memories
    expected = memories["estimate"][:, 1:].mean(dim=0)

    assert_close(memories["mean_estimate"][:, 1:], expected.expand(NUM_WORKERS, -1, -1))


@cases("ef21_bc")
def test_ef21_bc_servers_hold_how_far_the_shared_estimate_is_off(case: Case, traces: dict[Case, Trace]) -> None:
    trace = traces[case]
    expected = trace.memories["estimate"][:, 1:].mean(dim=0) - trace.memories["shared_estimate"][:, 1:]

    assert_close(trace.mean("server_error")[1:].expand_as(expected), expected)
