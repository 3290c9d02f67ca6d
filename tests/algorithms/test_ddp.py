from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook, fp16_compress_hook
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms.ddp import AllReduce, AllReduceBF16, AllReduceFP16
from tests.algorithms import buckets, network
from tests.distributed import run_ranks

MAKERS: list[Callable[..., AllReduce]] = [AllReduce, AllReduceFP16, AllReduceBF16]
IDS = ["ddp", "ddp_fp16", "ddp_bf16"]
each = pytest.mark.parametrize("case", range(3), ids=IDS)


def means() -> list[tuple[Tensor, Tensor]]:
    """Return this rank's gradient, and what the algorithm makes of all ranks'."""
    seen = []
    for make in MAKERS:
        run = buckets.attached(make())
        local = torch.autograd.grad(network.loss(run.model, 0, dist.get_rank()), list(run.model.parameters()))
        run.train([0])
        seen.append((torch.cat([gradient.view(-1) for gradient in local]), run.gradient()))
    return seen


def beside_torch() -> list[bool]:
    """Return whether six steps end in the same model as with PyTorch's own hook."""
    seen = []
    for make, hook in [(AllReduce, allreduce_hook), (AllReduceFP16, fp16_compress_hook)]:
        ours, theirs = buckets.attached(make()), buckets.build()
        theirs.ddp.register_comm_hook(None, hook)
        ours.train(range(6))
        theirs.train(range(6))
        seen.append(torch.equal(ours.flat(), theirs.flat()))
    return seen


def of_a_type(dtype: torch.dtype, *, attach: bool) -> tuple[Tensor, int]:
    """Train a model of this type for six steps, with AllReduce or, unless ``attach``, with DDP without a hook.

    Return the model, and the bytes that AllReduce has sent.
    """
    model, algorithm = network.build().to(dtype), AllReduce()
    ddp = DistributedDataParallel(model, bucket_cap_mb=buckets.SEVERAL)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    if attach:
        algorithm.attach(ddp, optimizer)
    for step in range(6):
        optimizer.zero_grad()
        network.loss(ddp, step, dist.get_rank()).backward()
        optimizer.step()
    return network.flat(model), algorithm.counters.sent_bytes


def beside_plain_ddp() -> dict[torch.dtype, tuple[bool, int]]:
    """Return for each type whether AllReduce and DDP without a hook train the same model, and the bytes sent."""
    seen = {}
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        (ours, sent), (theirs, _) = (of_a_type(dtype, attach=attach) for attach in (True, False))
        seen[dtype] = torch.equal(ours, theirs), sent
    return seen


class Steep(nn.Module):
    """A model whose gradient is 3e38 everywhere, so that its sum overflows float32."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(8))

    def forward(self, factor: Tensor) -> Tensor:
        return (self.weight * factor).sum()


def huge_but_finite() -> float:
    ddp = DistributedDataParallel(Steep())
    AllReduce().attach(ddp, optimizer := torch.optim.SGD(ddp.parameters(), lr=1e-38))
    ddp(torch.tensor(3e38)).backward()
    optimizer.step()
    return float(ddp.module.weight.detach().sum())


def seconds() -> tuple[float, float]:
    algorithm = AllReduceFP16()
    buckets.attached(algorithm).train(range(3))  # without synchronize, which a training loop of one's own does not call
    return algorithm.counters.compress_seconds, algorithm.counters.communicate_seconds


def observe() -> dict[str, Any]:
    return {
        "means": means(),
        "beside_torch": beside_torch(),
        "beside_plain_ddp": beside_plain_ddp(),
        "traffic": [buckets.traffic(make(block_bytes=buckets.BUCKET_BYTES), 7) for make in MAKERS],
        "buckets": buckets.num_buckets(),
        "infinite": [buckets.stopped(make(), torch.inf) for make in MAKERS],
        "nan": [buckets.stopped(make(), torch.nan) for make in MAKERS],
        "beyond_fp16": [buckets.stopped(make(), 1e8)[0] for make in MAKERS],
        "huge": huge_but_finite(),
        "resumed": [buckets.resumed(make) for make in MAKERS],
        "seconds": seconds(),
    }


@pytest.fixture(scope="module")
def ranks() -> list[dict[str, Any]]:
    return run_ranks(observe, 4)


@each
def test_every_rank_gets_the_mean_gradient(ranks: list[dict[str, Any]], case: int) -> None:
    local = torch.stack([rank["means"][case][0] for rank in ranks]).double()
    dtype = [torch.float32, torch.float16, torch.bfloat16][case]
    # Every gradient is rounded, and every partial sum: 4 + 3 roundings of at most eps/2 of the sum of magnitudes.
    bound = 7 / 2 * torch.finfo(dtype).eps * local.abs().mean(dim=0) + torch.finfo(dtype).smallest_normal

    for rank in ranks:
        reduced = rank["means"][case][1]
        assert torch.equal(reduced, ranks[0]["means"][case][1])
        assert torch.equal(reduced, reduced.to(dtype).float())
        assert bool(((reduced.double() - local.mean(dim=0)).abs() <= bound).all())


def test_training_equals_pytorchs_own_hooks(ranks: list[dict[str, Any]]) -> None:
    assert [rank["beside_torch"] for rank in ranks] == [[True, True]] * 4


def test_training_equals_ddp_without_a_hook_whatever_the_type_of_the_model(ranks: list[dict[str, Any]]) -> None:
    numel = sum(parameter.numel() for parameter in network.build().parameters())
    for rank in ranks:
        for dtype, (is_equal, sent_bytes) in rank["beside_plain_ddp"].items():
            assert is_equal, dtype
            assert sent_bytes == 6 * round(2 * 3 / 4 * numel * dtype.itemsize)


def test_three_ranks_divide_as_ddp_does_without_a_hook() -> None:
    for seen in run_ranks(beside_plain_ddp, 3):
        assert all(is_equal for is_equal, _ in seen.values())


@each
def test_a_step_sends_its_schedule(ranks: list[dict[str, Any]], case: int) -> None:
    numel = sum(parameter.numel() for parameter in network.build().parameters())
    each_way = 7 * round(2 * 3 / 4 * numel * [4, 2, 2][case])

    for rank in ranks:
        assert rank["buckets"] > 2
        assert rank["traffic"][case] == ((each_way, each_way, 7 * rank["buckets"]),) * 2


@each
@pytest.mark.parametrize("value", ["infinite", "nan"])
def test_one_gradient_that_is_not_finite_stops_all_ranks_at_its_step(
    ranks: list[dict[str, Any]], value: str, case: int
) -> None:
    name = ["float32", "float16", "bfloat16"][case]

    for rank in ranks:
        assert rank[value][case] == (f"step 1: the mean gradient is not finite in {name}", 1, True, True)


def test_overflow_in_half_precision_stops_all(ranks: list[dict[str, Any]]) -> None:
    half = "step 1: the mean gradient is not finite in float16"

    assert [rank["beyond_fp16"] for rank in ranks] == [["nothing was raised", half, "nothing was raised"]] * 4


def test_a_finite_gradient_whose_sum_overflows_goes_on(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        assert rank["huge"] == pytest.approx(-24)


@each
def test_a_saved_state_goes_on_to_the_bit(ranks: list[dict[str, Any]], case: int) -> None:
    assert [rank["resumed"][case] for rank in ranks] == [(0.0, 10)] * 4


def test_casts_and_travel_are_timed(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        compress, communicate = rank["seconds"]
        assert compress > 0
        assert communicate > 0
