"""DiLoCo on real ranks: simulations of its equations, its named test values, and what goes on in the background."""

import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, Final

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import PSGD, Algorithm, DiLoCo, LocalSGD, NonFiniteError, SparseLoCo
from liecbench.compressors import QSGD, Sign, TopK
from tests.algorithms import buckets, network, simulation
from tests.algorithms.test_trajectories import SEED, SEVERAL, SIZES, gradient
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
MAKERS: Final[dict[str, Callable[[], Algorithm]]] = {
    "plain": lambda: DiLoCo(sync_every=4),
    "streaming": lambda: DiLoCo(sync_every=8, fragments=2, delay=2, mix=0.5, block_bytes=512),
    "compressed": lambda: DiLoCo(sync_every=8, fragments=4, delay=1, compressor=Sign(), error_decay=0.9),
    "sparse": lambda: SparseLoCo(sync_every=8, fragments=2, delay=2, chunk=64, kept=6),
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


def overlapped() -> dict[str, Any]:
    """Train on while the peer has not sent its part of a fragment, which is possible in the background only."""
    algorithm = DiLoCo(sync_every=4, delay=2)
    run = buckets.attached(algorithm)
    run.train([0])
    algorithm.tracer.enabled = True
    if dist.get_rank() == 0:
        run.train([1, 2])  # the fragment is sent after step 1, and needed after step 3
    before, now = (algorithm.step, algorithm.counters.received_bytes), time.perf_counter()
    dist.monitored_barrier(timeout=timedelta(seconds=60))
    if dist.get_rank() == 1:
        run.train([1, 2])
    with algorithm.evaluation():
        evaluated = run.flat()
    local = run.flat()
    run.train([3])
    spans = [(span.name, span.start < now < span.end) for span in algorithm.tracer.drain()]
    return {"before": before, "evaluated": evaluated, "local": local, "after": run.flat(), "spans": spans}


def stopped() -> tuple[str, int]:
    """Make rank 1's gradient NaN in step 1, when nothing is sent: the next outer step is sent after step 2."""
    algorithm = DiLoCo(sync_every=5, delay=2)
    run = buckets.attached(algorithm)
    try:
        run.train(range(6), lambda step: torch.nan if step == 1 and dist.get_rank() == 1 else 1)
    except NonFiniteError as error:
        return str(error), algorithm.step
    return "nothing was raised", algorithm.step


def attached_twice() -> list[Tensor]:
    """Train, detach, and go on with the same object, and with a new one."""
    models = []
    for goes_on in (True, False):
        algorithm = DiLoCo(sync_every=2, delay=1)
        run = buckets.attached(algorithm)
        run.train(range(3))  # a fragment is under way
        algorithm.detach()
        second = algorithm if goes_on else DiLoCo(sync_every=2, delay=1)
        second.set_step(0)
        second.attach(run.ddp, run.optimizer)
        run.train(range(3, 7))
        models.append(run.flat())
    return models


def refused() -> str:
    with pytest.raises(ValueError, match="fragments") as error:
        buckets.attached(DiLoCo(sync_every=7, fragments=7))
    return str(error.value)


def compression_errors() -> list[float | None]:
    """Return the compression errors before the first step, after a local step, and after an outer step."""
    algorithm = DiLoCo(sync_every=2, compressor=Sign(), error_decay=1.0, server="root")
    run = buckets.attached(algorithm)
    errors = [algorithm.compression_error()]
    for step in range(2):
        run.train([step])
        errors.append(algorithm.compression_error())
    return errors


def observe() -> dict[str, Any]:
    return {
        "cases": trained_all("cpu"),
        "by hand": by_hand(),
        "all entries": trained(
            lambda: SparseLoCo(**DENSE_STEPS, chunk=32, kept=32, bits=32, error_decay=0.0), NUM_STEPS
        ),
        "dense": trained(lambda: DiLoCo(**DENSE_STEPS)),
        "every step": trained(lambda: DiLoCo(sync_every=1, outer_lr=1.0, outer_momentum=0.0)),
        "psgd": trained(PSGD),
        "one outer step": trained(lambda: DiLoCo(sync_every=4), 4),
        "one mean": trained(lambda: LocalSGD(average_period=4), 4),
        "fixture": torchft_fixture(),
        "overlapped": overlapped(),
        "stopped": stopped(),
        "attached twice": attached_twice(),
        "refused": refused(),
        "errors": compression_errors(),
        "traffic": {name: buckets.traffic(make(), 16) for name, make in MAKERS.items()},
        # After six steps a fragment of "streaming" is under way, and after seven one of "compressed".
        "resumed": {(name, half): buckets.resumed(make, half=half) for name, make in MAKERS.items() for half in (6, 7)},
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
            local[rank] = local[rank] - network.LEARNING_RATE * gradient(model, local[rank], step, rank)
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


def test_sparseloco_has_no_server() -> None:
    with pytest.raises(TypeError, match="SparseLoCo has no option 'server'; its options are "):
        SparseLoCo(server="root")  # type: ignore[call-arg]


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


def test_a_worker_trains_on_while_a_fragment_is_under_way(ranks: list[dict[str, Any]]) -> None:
    seen = ranks[0]["overlapped"]

    assert seen["before"] == (3, 0)  # nothing had arrived when step 2 was over
    assert ("wait", True) in seen["spans"]


def test_evaluation_takes_the_mean_of_the_local_models_while_a_fragment_is_under_way(
    ranks: list[dict[str, Any]],
) -> None:
    runs = [rank["overlapped"] for rank in ranks]
    mean = (runs[0]["local"] + runs[1]["local"]) / 2

    assert not torch.equal(runs[0]["local"], runs[1]["local"])
    for run in runs:
        torch.testing.assert_close(run["evaluated"], mean)
    assert torch.equal(runs[0]["after"], runs[1]["after"])


def test_a_gradient_that_is_not_finite_stops_all_ranks_at_the_outer_step(ranks: list[dict[str, Any]]) -> None:
    assert [rank["stopped"] for rank in ranks] == [("step 2: the models are not finite", 5)] * NUM_WORKERS


def test_a_method_that_is_attached_again_begins_with_the_model_that_it_finds(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        assert torch.equal(*rank["attached twice"])


def test_more_fragments_than_tensors_are_refused(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        assert rank["refused"] == (
            "DiLoCo does not work with this model: fragments 7 is more than the 6 parameter tensors of the model, and "
            "a fragment has whole tensors; write fragments 6 or fewer"
        )


@pytest.mark.parametrize("name", MAKERS)
def test_steps_send_their_schedule(name: str, ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        counted, scheduled = rank["traffic"][name]
        assert counted == scheduled
        assert min(counted) > 0


@pytest.mark.parametrize("half", [6, 7])
@pytest.mark.parametrize("name", MAKERS)
def test_resumed_training_is_equal_to_the_bit(name: str, half: int, ranks: list[dict[str, Any]]) -> None:
    assert [rank["resumed"][name, half] for rank in ranks] == [(0.0, 2 * half)] * NUM_WORKERS


def test_the_compression_error_is_that_of_the_pseudo_gradient(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        first, local, outer = rank["errors"]
        assert first is None
        assert local is not None
        assert 0 < local < 1
        assert outer is not None  # of the error memory alone
        assert 0 < outer < 1


def test_a_local_step_sends_nothing_and_an_outer_step_the_fragment() -> None:
    shapes = [torch.Size((n,)) for n in (100, 60, 40)]
    algorithm = DiLoCo(sync_every=8, fragments=2, delay=3, server="root")
    kinds = [algorithm.step_kind(step) for step in range(8)]
    sent = [algorithm.schedule(shapes, world_size=2, step=step).payload_bytes() for step in range(8)]

    assert kinds == ["outer_0", "local", "local", "local", "outer_1", "local", "local", "local"]
    assert sent == [[(0, 0)] * 2 if kind == "local" else [(400, 400)] * 2 for kind in kinds]
    assert algorithm.schedule(shapes, world_size=2, step=0).overlapped_steps == 3


def test_options_that_contradict_each_other_are_refused_with_what_to_write() -> None:
    with pytest.raises(ValueError, match="write a delay of at most 3, or a larger sync_every"):
        DiLoCo(sync_every=8, fragments=2, delay=4)
    with pytest.raises(ValueError, match="write sync_every 9, or other fragments"):
        DiLoCo(sync_every=8, fragments=3)
    with pytest.raises(ValueError, match="write error_decay 0, or take a contraction"):
        DiLoCo(compressor=QSGD(), error_decay=0.9)
    assert DiLoCo(compressor=QSGD()).error_decay == 0
