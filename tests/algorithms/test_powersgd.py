import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.algorithms.ddp_comm_hooks.powerSGD_hook import PowerSGDState, powerSGD_hook
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms.ddp import AllReduce
from liecbench.algorithms.powersgd import PowerSGD
from liecbench.algorithms.powersgd_memories import PowerSGDMemories
from tests.algorithms import buckets, network
from tests.distributed import run_ranks


def full_rank(**options: Any) -> PowerSGD:
    return PowerSGD(matrix_approximation_rank=100, min_compression_rate=0.01, **options)


MAKERS: list[Callable[..., PowerSGD]] = [PowerSGD, full_rank]


def losses_of_all(run: buckets.Run) -> float:
    total = sum(network.loss(run.model, 900, rank).detach() for rank in range(dist.get_world_size()))
    return float(total)


def trained() -> tuple[float, float, Tensor, list[float]]:
    """Return loss before and after, the model, and the memories' consistency in every compressed step."""
    algorithm = PowerSGD(matrix_approximation_rank=2)
    run = buckets.attached(algorithm)
    before, lost = losses_of_all(run), []
    for step in range(30):
        local = torch.autograd.grad(network.loss(run.model, step, dist.get_rank()), list(run.model.parameters()))
        came_in = torch.cat([gradient.view(-1) for gradient in local]) + error(algorithm)
        run.train([step])
        if step >= 2:
            lost.append(float((came_in - run.gradient() - error(algorithm)).abs().max()))
    return before, losses_of_all(run), run.flat(), lost


def error(algorithm: PowerSGD) -> Tensor:
    memories = algorithm.memories()["error"]
    return torch.cat([torch.zeros(0), *(memory.reshape(-1) for memory in memories)]) if memories else torch.zeros(1)


def beside_torch() -> bool:
    """Return whether eight steps in one bucket end where they do with PyTorch's own hook and the same first Q."""
    algorithm = PowerSGD()
    ours, theirs = buckets.attached(algorithm, buckets.ONE_BUCKET), buckets.build(buckets.ONE_BUCKET)
    state = PowerSGDState(None, start_powerSGD_iter=2, orthogonalization_epsilon=1e-8)
    matrices = algorithm.memories()["q"]
    state.q_memory_dict[0] = torch.cat([q.flatten() for q in reversed(matrices)])  # gradients are ready in this order
    state.p_memory_dict[0] = torch.empty(sum(shape[0] for shape in ours.shapes() if len(shape) == 2))
    theirs.ddp.register_comm_hook(state, powerSGD_hook)
    ours.train(range(8))
    with mock.patch("torch.cuda.is_available", return_value=False):  # or PyTorch's hook fails on CPU tensors
        theirs.train(range(8))
    return torch.equal(ours.flat(), theirs.flat())


def where_a_gpu_is_available() -> bool:
    """Return whether training on the CPU is the same on a machine with a GPU, which PyTorch's hook synchronizes."""
    expected = buckets.attached(PowerSGD())
    expected.train(range(4))
    with mock.patch("torch.cuda.is_available", return_value=True):
        actual = buckets.attached(PowerSGD())
        actual.train(range(4))
    return torch.equal(actual.flat(), expected.flat())


def beside_ddp() -> tuple[float, float]:
    """Return how far eight steps end from plain DDP, at full rank and at rank 1, relative to the way gone."""
    dense = buckets.attached(AllReduce())
    start = dense.flat()
    dense.train(range(8))
    distances = []
    for algorithm in (full_rank(), PowerSGD()):
        run = buckets.attached(algorithm)
        run.train(range(8))
        distances.append(float((run.flat() - dense.flat()).norm() / (dense.flat() - start).norm()))
    return distances[0], distances[1]


class Gain(nn.Module):
    """A model with a scalar and a matrix of 16 bits."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.gain = nn.Linear(16, 16, bias=False), nn.Parameter(torch.tensor(1.0))

    def forward(self, inputs: Tensor) -> Tensor:
        output: Tensor = self.layer(inputs) * self.gain
        return output.square().mean()


def half_precision() -> list[float]:
    torch.manual_seed(3)
    model = Gain().bfloat16()
    ddp = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    PowerSGD().attach(ddp, optimizer)
    inputs = torch.randn(32, 16, dtype=torch.bfloat16)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        loss = ddp(inputs)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def failure() -> tuple[str, int]:
    """Return the error of a bug on the communication thread, and the number of steps before it."""
    algorithm, bug = PowerSGD(), ValueError("boom")
    run = buckets.attached(algorithm)
    with (
        mock.patch.object(PowerSGDMemories, "from_hook", side_effect=bug),
        pytest.raises(ValueError, match="boom") as raised,
    ):
        run.train(range(5))
    return str(raised.value), algorithm.step


def steps_of_two_backwards() -> tuple[int, int]:
    """Return the steps that algorithm and hook count in three optimizer steps of two backward passes each."""
    algorithm = PowerSGD()
    run = buckets.attached(algorithm)
    for _ in range(3):
        network.loss(run.ddp, 0, dist.get_rank()).backward()
        run.train(range(1))
    return algorithm.step, algorithm._state.iter


def seconds() -> tuple[float, float, float]:
    """Return seconds of compression and of communication, and of all of five steps."""
    algorithm = PowerSGD()
    run = buckets.attached(algorithm)
    begin = time.perf_counter()
    run.train(range(5))
    return algorithm.counters.compress_seconds, algorithm.counters.communicate_seconds, time.perf_counter() - begin


def observe() -> dict[str, Any]:
    return {
        "seconds": seconds(),
        "trained": trained(),
        "beside_torch": beside_torch(),
        "gpu_available": where_a_gpu_is_available(),
        "beside_ddp": beside_ddp(),
        "traffic": [buckets.traffic(make(block_bytes=buckets.BUCKET_BYTES), 7) for make in MAKERS],
        "buckets": buckets.num_buckets(),
        "stopped": [
            buckets.stopped(PowerSGD(matrix_approximation_rank=r), v) for r in (1, 3) for v in (torch.nan, torch.inf)
        ],
        "half": half_precision(),
        "failure": failure(),
        "steps": steps_of_two_backwards(),
    }


@pytest.fixture(scope="module")
def ranks() -> list[dict[str, Any]]:
    return run_ranks(observe, 3)


def test_training_in_several_buckets_keeps_the_ranks_identical(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        before, after, model, _ = rank["trained"]
        assert rank["buckets"] > 2
        assert after < 0.7 * before
        assert torch.equal(model, ranks[0]["trained"][2])


def test_a_gradient_is_sent_or_remembered(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        assert max(rank["trained"][3]) < 1e-6


def test_in_one_bucket_training_equals_pytorchs_hook(ranks: list[dict[str, Any]]) -> None:
    assert all(rank["beside_torch"] for rank in ranks)


def test_on_the_cpu_of_a_machine_with_a_gpu(ranks: list[dict[str, Any]]) -> None:
    assert all(rank["gpu_available"] for rank in ranks)


def test_full_rank_is_the_dense_all_reduce(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        full, one = rank["beside_ddp"]
        assert full < 1e-4
        assert one > 1e-2


def test_a_step_sends_its_schedule(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        for counted, scheduled in rank["traffic"]:
            assert counted == scheduled
            assert counted[2] == rank["buckets"] * (2 + 3 * 5)


def test_scheduled_payload_by_hand() -> None:
    shapes = [torch.Size((64, 8, 4)), torch.Size((64,)), torch.Size(())]
    algorithm = PowerSGD(matrix_approximation_rank=2, start_powersgd_iter=3)

    dense, compressed = (algorithm.schedule(shapes, world_size=4, step=step) for step in (2, 3))

    assert (algorithm.step_kind(2), algorithm.step_kind(3)) == ("dense", "compressed")
    assert [reduce.num_bytes for reduce in dense.all_reduces] == [4 * (64 * 32 + 65)]
    assert [(reduce.num_bytes, reduce.depends_on) for reduce in compressed.all_reduces] == [
        (4 * 65, ()),
        (4 * 2 * 64, (0,)),
        (4 * 2 * 32, (1,)),
    ]
    assert dense.payload_bytes() == [(6 * (64 * 32 + 65), 6 * (64 * 32 + 65))] * 4
    assert compressed.payload_bytes() == [(6 * (2 * 64 + 2 * 32 + 65), 6 * (2 * 64 + 2 * 32 + 65))] * 4


def test_one_gradient_that_is_not_finite_stops_all_ranks_at_its_step(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        assert rank["stopped"] == [("step 1: the mean gradient is not finite in float32", 1, True, True)] * 4


def test_scalars_and_16_bit_parameters_train(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        assert rank["half"][-1] < 0.5 * rank["half"][0]


def test_an_exception_on_the_communication_thread_reaches_the_caller(ranks: list[dict[str, Any]]) -> None:
    assert [rank["failure"] for rank in ranks] == [("boom", 2)] * 3


def test_the_hooks_own_work_and_its_all_reduces_are_timed_apart(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        compress, communicate, total = rank["seconds"]
        assert min(compress, communicate) > 0
        assert compress + communicate < total


def test_each_synchronised_backward_pass_counts_as_a_step(ranks: list[dict[str, Any]]) -> None:
    assert [rank["steps"] for rank in ranks] == [(6, 6)] * 3


@pytest.mark.parametrize(
    "option", [{"matrix_approximation_rank": 0}, {"start_powersgd_iter": 1}, {"min_compression_rate": 0}]
)
def test_options_out_of_range_are_refused(option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"PowerSGD: {next(iter(option))}: should be"):
        PowerSGD(**option)
