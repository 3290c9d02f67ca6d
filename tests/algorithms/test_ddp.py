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
        assert rank[value][case] == (f"step 3: the mean gradient is not finite in {name}", 3, True, True)


def test_overflow_in_half_precision_stops_all(ranks: list[dict[str, Any]]) -> None:
    half = "step 3: the mean gradient is not finite in float16"

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
