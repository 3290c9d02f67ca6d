from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import DDP, LIEC, PSGD, Algorithm, DoubleSqueeze, MemSGD, NonFiniteError
from liecbench.algorithms.blocks import Block
from liecbench.compressors import Sign, TopK
from tests.algorithms import network
from tests.distributed import run_ranks


def attached(algorithm: Algorithm) -> tuple[nn.Module, DistributedDataParallel, torch.optim.Optimizer]:
    model = network.build()
    ddp = DistributedDataParallel(model, bucket_cap_mb=0.0007)
    optimizer = torch.optim.SGD(model.parameters(), lr=network.LEARNING_RATE, momentum=0.9)
    algorithm.attach(ddp, optimizer)
    return model, ddp, optimizer


def train(ddp: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> None:
    for step in steps:
        optimizer.zero_grad()
        network.loss(ddp, step, dist.get_rank()).backward()
        optimizer.step()


class Failing(PSGD):
    """An algorithm of someone else's, with a bug."""

    def reduce(self, block: Block) -> Tensor:
        if self.step == 2 and block.index == 1:
            raise ValueError("boom")
        return super().reduce(block)


def fail_in_step_two() -> tuple[str, int]:
    algorithm = Failing(block_bytes=512)
    _, ddp, optimizer = attached(algorithm)
    try:
        train(ddp, optimizer, range(5))
    except ValueError as error:
        return str(error), algorithm.step
    return "nothing was raised", algorithm.step


def poison_rank_one(compressor: Any) -> tuple[str, int, bool, float]:
    """Train with an infinite gradient on rank 1 in step 3."""
    algorithm = DoubleSqueeze(compressor=compressor, block_bytes=512)
    model, ddp, optimizer = attached(algorithm)
    train(ddp, optimizer, range(3))
    before = network.flat(model)
    optimizer.zero_grad()
    loss = network.loss(ddp, 3, dist.get_rank())
    (loss * (torch.inf if dist.get_rank() == 1 else 1)).backward()
    try:
        optimizer.step()
    except NonFiniteError as error:
        memories = [m for values in algorithm.state_dict()["memories"].values() for m in values]
        finite = all(bool(memory.isfinite().all()) for memory in memories)
        dist.barrier()
        return str(error), algorithm.step, finite, float((network.flat(model) - before).norm())
    return "nothing was raised", algorithm.step, False, 0.0


def ended_by_an_exception(_: None = None) -> list[Any]:
    return [fail_in_step_two(), poison_rank_one(Sign()), poison_rank_one(TopK(0.05))]


@pytest.fixture(scope="module")
def ends() -> list[list[Any]]:
    return run_ranks(ended_by_an_exception, 2)


def test_an_exception_on_the_thread_surfaces_as_itself(ends: list[list[Any]]) -> None:
    assert [rank[0] for rank in ends] == [("boom", 2), ("boom", 2)]


@pytest.mark.parametrize("case", [1, 2], ids=["sign", "top_k"])
def test_an_infinite_gradient_on_one_rank_stops_all_at_the_same_step(ends: list[list[Any]], case: int) -> None:
    messages = {rank[case][0] for rank in ends}

    assert len(messages) == 1
    assert messages.pop().startswith("step 3: gradients of block 0 (2.bias … 4.bias) are not finite")
    assert [rank[case][1:] for rank in ends] == [(3, True, 0.0), (3, True, 0.0)]


def continue_from_the_middle() -> list[tuple[bool, int]]:
    """For every method: ten steps, against five, a saved state in a new attachment, and five more."""
    makers = [MemSGD, DoubleSqueeze, LIEC]
    seen = []
    for make in makers:
        whole = make(compressor=Sign(), block_bytes=512)
        model, ddp, optimizer = attached(whole)
        train(ddp, optimizer, range(5))
        state = {
            "model": {k: v.clone() for k, v in model.state_dict().items()},
            "optimizer": optimizer.state_dict(),
            "algorithm": {
                "step": whole.step,
                "memories": {k: [m.clone() for m in v] for k, v in whole.state_dict()["memories"].items()},
            },
        }
        momentum = [optimizer.state[p]["momentum_buffer"].clone() for p in model.parameters()]
        train(ddp, optimizer, range(5, 10))
        again = make(compressor=Sign(), block_bytes=512)
        model_again, ddp_again, optimizer_again = attached(again)
        model_again.load_state_dict(state["model"])
        optimizer_again.load_state_dict(state["optimizer"])
        for parameter, buffer in zip(model_again.parameters(), momentum, strict=True):
            optimizer_again.state[parameter]["momentum_buffer"] = buffer
        again.load_state_dict(state["algorithm"])
        train(ddp_again, optimizer_again, range(5, 10))
        seen.append((torch.equal(network.flat(model), network.flat(model_again)), again.step))
    return seen


def test_a_saved_state_goes_on_to_the_bit() -> None:
    for rank in run_ranks(continue_from_the_middle, 2):
        assert rank == [(True, 10)] * 3


def refuse_what_cannot_work() -> list[str]:
    messages = []
    half = nn.Linear(3, 3).half()
    ddp = DistributedDataParallel(half)
    with pytest.raises(ValueError, match="float32") as error:
        PSGD().attach(ddp, torch.optim.SGD(half.parameters(), lr=1))
    messages.append(str(error.value))
    liec, memsgd = LIEC(compressor=Sign()), MemSGD(compressor=Sign())
    attached(liec)
    attached(memsgd)
    with pytest.raises(ValueError, match="belong to another") as error:
        liec.load_state_dict(memsgd.state_dict())
    messages.append(str(error.value))
    return messages


def test_mistakes_are_named() -> None:
    for messages in run_ranks(refuse_what_cannot_work, 2):
        assert messages[0] == "parameter weight is torch.float16 on cpu; every parameter must be float32 on the CPU"
        assert messages[1].startswith("the saved memories belong to another algorithm")


def evaluate_in_between() -> tuple[float, bool, bool]:
    algorithm = LIEC(compressor=Sign(), average_period=100)
    model, ddp, optimizer = attached(algorithm)
    train(ddp, optimizer, range(3))
    local = network.flat(model)
    everyone = [torch.empty_like(local) for _ in range(dist.get_world_size())]
    dist.all_gather(everyone, local)
    mean = torch.stack(everyone).mean(dim=0)
    with algorithm.evaluation():
        distance = float((network.flat(model) - mean).norm() / mean.norm())
    return distance, torch.equal(network.flat(model), local), bool((local - mean).norm() > 1e-4)


def test_evaluation_puts_the_mean_model_in_place_and_takes_it_away() -> None:
    for distance, restored, differs in run_ranks(evaluate_in_between, 3):
        assert distance < 1e-6
        assert restored
        assert differs


def payload_of_each(_: None = None) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Counted and planned payload of twelve steps, for every method."""
    sign = Sign()
    algorithms: list[Algorithm] = [
        DDP(),
        PSGD(server="root", block_bytes=512),
        MemSGD(compressor=sign, block_bytes=512),
        DoubleSqueeze(compressor=TopK(0.1), server="root"),
        LIEC(compressor=sign, average_period=5, block_bytes=512),
    ]
    seen = []
    for algorithm in algorithms:
        model, ddp, optimizer = attached(algorithm)
        train(ddp, optimizer, range(12))
        numels = [parameter.numel() for parameter in model.parameters()]
        rank, world_size = dist.get_rank(), dist.get_world_size()
        planned = [algorithm.planned_payload_bytes(numels, rank, world_size, step) for step in range(12)]
        counted = (algorithm.counters.sent_bytes, algorithm.counters.received_bytes)
        by_kind = dict(zip(map(algorithm.step_kind, range(12)), planned, strict=True))
        assert planned == [by_kind[algorithm.step_kind(step)] for step in range(12)]
        seen.append((counted, (sum(s for s, _ in planned), sum(r for _, r in planned))))
    return seen


def test_what_is_planned_is_what_is_sent() -> None:
    for rank in run_ranks(payload_of_each, 3):
        for counted, planned in rank:
            assert counted == planned


class Branching(nn.Module):
    """A layer that some steps use on no rank."""

    def __init__(self) -> None:
        super().__init__()
        self.always, self.sometimes = nn.Linear(4, 3), nn.Linear(4, 3)

    def forward(self, inputs: Tensor, both: bool) -> Tensor:
        output: Tensor = self.always(inputs)
        return output + self.sometimes(inputs) if both else output


def virtual_iterates_of_an_unused_layer() -> list[tuple[float, float]]:
    """Steps without the layer: how far its x − η mean(e) moves, and how large its error memory is."""
    torch.manual_seed(1)
    model = Branching()
    ddp = DistributedDataParallel(model, find_unused_parameters=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    algorithm = MemSGD(compressor=Sign(), block_bytes=4)
    algorithm.attach(ddp, optimizer)
    (block,) = (block for block in algorithm.blocks if block.names == ["sometimes.weight"])

    def virtual() -> tuple[Tensor, float]:
        error = algorithm.memories["error"][block.index].clone()
        dist.all_reduce(error)
        error /= dist.get_world_size()
        return model.sometimes.weight.detach().view(-1) - 0.1 * error, float(error.norm())

    seen = []
    for step in range(9):
        generator = torch.Generator().manual_seed(10 * step + dist.get_rank())
        before, norm = virtual()
        optimizer.zero_grad()
        ddp(torch.randn(5, 4, generator=generator), step % 3 == 0).square().sum().backward()
        optimizer.step()
        if step % 3:
            seen.append((float((virtual()[0] - before).norm()), norm))
    return seen


def test_what_a_memory_sends_for_an_unused_layer_is_applied() -> None:
    for rank in run_ranks(virtual_iterates_of_an_unused_layer, 2):
        for moved, norm in rank:
            assert norm > 0.1
            assert moved < 1e-6
