"""Attach and detach: hooks, refusals, process groups, clipping and errors in training."""

import datetime as dt
import time
import warnings
from collections.abc import Mapping
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import LIEC, PSGD, AllReduce, LocalSGD, MemSGD, NonFiniteError, PowerSGD
from liecbench.compressors import Sign
from tests.algorithms import network
from tests.distributed import run_ranks

NUM_WORKERS = 4


class OnlyPlainSgd(MemSGD):
    """A method that is defined with SGD without momentum only."""

    def incompatible_optimizer(self, name: str, options: Mapping[str, object]) -> str | None:
        if name != "sgd":
            return f"{name} steps otherwise; take SGD"
        return f"momentum {options['momentum']} counts twice; leave it out" if options["momentum"] else None


class Momentum(torch.optim.SGD):
    """A user's own class, which inherits from torch's."""


def hooks(ddp: DistributedDataParallel, optimizer: torch.optim.Optimizer) -> tuple[int, int, int, bool]:
    """Return the numbers of hooks before the forward pass and around the step, and whether join was replaced."""
    around = len(optimizer._optimizer_step_pre_hooks), len(optimizer._optimizer_step_post_hooks)
    return len(ddp._forward_pre_hooks), *around, "join_hook" in vars(ddp)


def groups_of_two() -> tuple[Tensor, Tensor]:
    """Train in two groups of two ranks, one of them with a group more; return the model of PSGD, and of plain DDP."""
    rank, timeout = dist.get_rank(), dt.timedelta(seconds=120)
    ranks = [rank // 2 * 2, rank // 2 * 2 + 1]
    group = dist.new_group(ranks, use_local_synchronization=True, timeout=timeout)
    if rank == 0:
        dist.new_group([0], use_local_synchronization=True)
    models = []
    for algorithm in (PSGD(), None, LIEC(compressor=Sign()), PSGD()):
        model, ddp, optimizer = network.made(algorithm, process_group=group)
        network.train(ddp, optimizer, range(3))
        if algorithm is not None:
            algorithm.detach()
        models.append(network.flat(model))
    assert torch.equal(models[0], models[3])
    return models[0], models[1]


def detached() -> dict[str, Any]:
    """Train two steps with a method and two without it, and two steps of plain DDP from the same model."""
    seen: dict[str, Any] = {}
    for name, algorithm in {"liec": LIEC(compressor=Sign(), average_period=9), "powersgd": PowerSGD()}.items():
        model, ddp, optimizer = network.made(None)
        before = hooks(ddp, optimizer)
        algorithm.attach(ddp, optimizer)
        during = hooks(ddp, optimizer)
        network.train(ddp, optimizer, range(2))
        algorithm.detach()
        algorithm.detach()
        other, plain, its_optimizer = network.made(None)
        network.train(plain, its_optimizer, range(2))  # DDP rearranges its buckets, and with them the order of addition
        other.load_state_dict(model.state_dict())
        network.train(ddp, optimizer, range(2, 4))
        network.train(plain, its_optimizer, range(2, 4))
        AllReduce().attach(ddp, optimizer)
        seen[name] = {
            "before": before,
            "during": during,
            "equal": torch.equal(network.flat(model), network.flat(other)),
            "again": hooks(ddp, optimizer),
        }
    return seen


def refused() -> dict[str, Any]:
    """Return the errors of attach, and the hooks after them."""
    algorithm = MemSGD(compressor=Sign())
    _, ddp, optimizer = network.made(None)
    _, _, foreign = network.made(None)
    attempts: dict[str, tuple[Any, Any]] = {
        "foreign": (ddp, foreign),
        "none": (ddp, []),
        "no optimizer": (ddp, object()),
        "not ddp": (ddp.module, optimizer),
    }
    messages: dict[str, Any] = {}
    for name, arguments in attempts.items():
        with pytest.raises((TypeError, ValueError)) as raised:
            algorithm.attach(*arguments)
        messages[name] = str(raised.value)
    parameters = ddp.parameters()
    first, rest = [next(parameters)], list(parameters)
    groups: list[dict[str, Any]] = [{"params": first, "momentum": 0.5}, {"params": rest}]
    undefined: dict[str, torch.optim.Optimizer | list[torch.optim.Optimizer]] = {
        "adamw": [optimizer, torch.optim.AdamW(rest)],
        "momentum of a group": Momentum(groups),
    }
    for name, other_optimizer in undefined.items():
        with pytest.raises(ValueError, match="is not defined with") as refusal:
            OnlyPlainSgd(compressor=Sign()).attach(ddp, other_optimizer)
        messages[name] = str(refusal.value)
    messages["hooks"] = hooks(ddp, optimizer)
    algorithm.attach(ddp, optimizer)
    for name, other in {"twice": algorithm, "two": PSGD()}.items():
        with pytest.raises(RuntimeError) as twice:
            other.attach(ddp, optimizer)
        messages[name] = str(twice.value)
    network.train(ddp, optimizer, range(1))
    return messages


def clipped() -> dict[str, Any]:
    algorithm = LocalSGD(average_period=9)
    model, ddp, _ = network.made(algorithm)
    network.loss(ddp, 0, dist.get_rank()).backward()
    before = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    norm = algorithm.clip_grad_norm_(0.01)
    after = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    return {"before": before, "norm": float(norm), "after": after}


def in_closure() -> tuple[str, bool]:
    """Return the error of a step whose closure computes a gradient of NaN, and whether the model is as before."""
    model, ddp, optimizer = network.made(MemSGD(compressor=Sign()))
    before = network.flat(model)

    def closure() -> Any:
        loss = network.loss(ddp, 0, dist.get_rank()) * float("nan")
        loss.backward()
        return loss

    with pytest.raises(FloatingPointError) as raised:
        optimizer.step(closure)
    return str(raised.value), torch.equal(before, network.flat(model))


def silent_peer() -> float:
    """Return after how many seconds a step fails whose peers do not come; the group's timeout is 2 seconds."""
    group = dist.new_group(timeout=dt.timedelta(seconds=2))
    _, ddp, optimizer = network.made(PSGD(), process_group=group)
    network.train(ddp, optimizer, range(2))
    dist.barrier()
    start = time.monotonic()
    if dist.get_rank() == 0:
        with pytest.raises(RuntimeError):
            network.train(ddp, optimizer, range(2, 3))
    seconds = time.monotonic() - start
    dist.barrier()
    return seconds


def detached_alone(*, failed: bool) -> dict[str, Any]:
    """Detach on rank 0 only, after a gradient of NaN if ``failed``; the group's timeout is 2 seconds."""
    group = dist.new_group(timeout=dt.timedelta(seconds=2))
    algorithm = LIEC(compressor=Sign(), average_period=9)
    model, ddp, optimizer = network.made(algorithm, process_group=group)
    network.train(ddp, optimizer, range(2))
    if failed:
        next(model.parameters()).data.fill_(torch.nan)
        with pytest.raises(NonFiniteError):
            network.train(ddp, optimizer, range(2, 3))
    dist.barrier()
    seen: dict[str, Any] = {}
    if dist.get_rank() == 0:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                algorithm.detach()
            except RuntimeError as error:
                seen["error"] = str(error)
        seen["warnings"] = [str(warning.message) for warning in caught]
        seen["hooks"] = hooks(ddp, optimizer)
    dist.barrier()
    algorithm.close()
    return seen


def observe() -> dict[str, Any]:
    return {
        "alone": detached_alone(failed=False),
        "alone after an error": detached_alone(failed=True),
        "groups": groups_of_two(),
        "detached": detached(),
        "refused": refused(),
        "clipped": clipped(),
        "closure": in_closure(),
        "silent": silent_peer(),
    }


@pytest.fixture(scope="module")
def ranks() -> list[dict[str, Any]]:
    return run_ranks(observe, NUM_WORKERS)


def test_disjoint_groups_train_each_for_itself(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        torch.testing.assert_close(*rank["groups"], rtol=1e-6, atol=1e-7)
    assert torch.equal(ranks[0]["groups"][0], ranks[1]["groups"][0])
    assert torch.equal(ranks[2]["groups"][0], ranks[3]["groups"][0])
    assert not torch.equal(ranks[0]["groups"][0], ranks[2]["groups"][0])


@pytest.mark.parametrize("name", ["liec", "powersgd"])
def test_detach_gives_back_plain_ddp_to_which_another_method_attaches(ranks: list[dict[str, Any]], name: str) -> None:
    for rank in ranks:
        seen = rank["detached"][name]
        assert (seen["before"], seen["during"], seen["equal"]) == ((0, 0, 0, False), (1, 1, 1, True), True)
        assert seen["again"] == (1, 1, 1, False)


def test_detach_without_its_peers_removes_the_hooks(ranks: list[dict[str, Any]]) -> None:
    seen, after_error = ranks[0]["alone"], ranks[0]["alone after an error"]

    assert seen["error"]
    assert seen["warnings"] == []
    assert seen["hooks"] == after_error["hooks"] == (0, 0, 0, False)
    (warning,) = after_error["warnings"]
    assert warning.startswith("detach could not average the local models, so that the ranks' models differ (")
    assert "error" not in after_error


def test_what_attach_refuses_registers_nothing(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        messages = rank["refused"]
        assert messages["foreign"].startswith("the SGD has no parameter of this DistributedDataParallel model")
        assert messages["none"] == "attach needs at least one optimizer, and the list is empty"
        assert messages["no optimizer"].endswith("or a list of them; this is of type object")
        assert messages["not ddp"].endswith("wrap the model: DistributedDataParallel(model)")
        reason = "OnlyPlainSgd is not defined with this optimizer: "
        assert messages["adamw"] == f"{reason}adamw steps otherwise; take SGD"
        assert messages["momentum of a group"] == f"{reason}momentum 0.5 counts twice; leave it out"
        assert messages["hooks"] == (0, 0, 0, False)
        assert messages["twice"] == "this MemSGD is attached already; call detach() first, or make another"
        assert messages["two"] == "the model has a MemSGD attached; call its detach() first"


def test_clipping_by_the_method_takes_one_factor_on_all_ranks(ranks: list[dict[str, Any]]) -> None:
    largest = max(float(rank["clipped"]["before"].norm()) for rank in ranks)

    for rank in ranks:
        assert rank["clipped"]["norm"] == pytest.approx(largest, rel=1e-6)
        torch.testing.assert_close(
            rank["clipped"]["after"], rank["clipped"]["before"] * (0.01 / largest), rtol=1e-4, atol=0
        )


def test_an_error_in_a_closure_is_raised_before_the_update(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        message, is_as_before = rank["closure"]
        assert message.endswith("are not finite")
        assert is_as_before


def test_a_silent_peer_is_an_error_after_the_timeout_of_the_models_group(ranks: list[dict[str, Any]]) -> None:
    assert 1 < ranks[0]["silent"] < 60  # plain DDP's groups wait for 30 minutes
