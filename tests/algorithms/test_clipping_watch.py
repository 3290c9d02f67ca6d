import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import Algorithm, MemSGD, OneBitAdam, SignSGD
from liecbench.algorithms.clipping_watch import ClippingWatch
from liecbench.compressors import Sign
from tests.algorithms import network
from tests.distributed import run_ranks


def clip(model: nn.Module) -> None:
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)


def drop(model: nn.Module) -> None:
    for parameter in model.parameters():
        parameter.grad = None


def warnings_of(algorithm: Algorithm, change: Callable[[nn.Module], object]) -> list[str]:
    """Train five steps, and change the gradients between each backward pass and the optimizer's step."""
    model, ddp, optimizer = network.made(algorithm)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        for step in range(5):
            optimizer.zero_grad()
            network.loss(ddp, step, torch.distributed.get_rank()).backward()
            change(model)
            optimizer.step()
    algorithm.close()
    return [str(warning.message) for warning in found if "multiplied by" in str(warning.message)]


class WithScale(nn.Module):
    """A network and a parameter of one element."""

    def __init__(self) -> None:
        super().__init__()
        self.network, self.scale = network.build(), nn.Parameter(torch.ones(1))

    def forward(self, inputs: Tensor) -> Tensor:
        out: Tensor = self.network(inputs) * self.scale
        return out


def warnings_with_scale(change: Callable[[WithScale], object]) -> list[str]:
    model = WithScale()
    ddp, optimizer = DistributedDataParallel(model), torch.optim.SGD(model.parameters(), lr=0.1)
    algorithm = SignSGD()
    algorithm.attach(ddp, optimizer)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        for step in range(5):
            optimizer.zero_grad()
            inputs, labels = network.batch(step, torch.distributed.get_rank())
            cross_entropy(ddp(inputs), labels).backward()
            change(model)
            optimizer.step()
    algorithm.close()
    return [str(warning.message) for warning in found if "multiplied by" in str(warning.message)]


def shrink_scale(model: WithScale) -> None:
    assert model.scale.grad is not None
    model.scale.grad.mul_(0.5)


def observe() -> dict[str, Any]:
    return {
        "sign": warnings_of(SignSGD(), clip),
        "adam": warnings_of(OneBitAdam(freeze_step=2), clip),
        "unclipped": warnings_of(SignSGD(), lambda _: None),
        "dropped": warnings_of(SignSGD(), drop),
        "one element": warnings_with_scale(shrink_scale),
        "one element clipped": warnings_with_scale(clip),
        "memsgd": warnings_of(MemSGD(compressor=Sign()), clip),
    }


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    found: dict[str, Any] = run_ranks(observe, 2)[0]
    return found


def test_a_loop_that_clips_such_updates_by_torchs_function_is_warned_once(seen: dict[str, Any]) -> None:
    (sign,), (adam,) = seen["sign"], seen["adam"]

    assert sign.startswith("the update of SignSGD was multiplied by 0.0")
    assert sign.endswith("lower the learning rate instead")
    assert adam.startswith("the update of OneBitAdam was multiplied by 0.")


def test_loops_that_do_not_clip_and_methods_that_can_be_clipped_are_not_warned(seen: dict[str, Any]) -> None:
    assert (seen["unclipped"], seen["dropped"], seen["memsgd"]) == ([], [], [])


def test_a_parameter_of_one_element_is_not_watched(seen: dict[str, Any]) -> None:
    assert seen["one element"] == []
    assert len(seen["one element clipped"]) == 1


def test_an_update_is_watched_where_at_least_two_entries_are_not_zero() -> None:
    zero, one, many = (nn.Parameter(torch.ones(size)) for size in (5, 7, 9))
    zero.grad, one.grad, many.grad = torch.zeros(5), torch.eye(7)[3], torch.arange(9.0)
    watch = ClippingWatch([many, zero, one], "DGC", "what is clipped is lost")

    watch.keep()
    one.grad *= 0.5
    watch.check()
    watch.keep()
    many.grad *= 0.25
    with pytest.warns(UserWarning, match="the update of DGC was multiplied by 0.25 after the backward pass"):
        watch.check()


def test_updates_of_zero_are_looked_at_in_three_steps_only() -> None:
    zero = nn.Parameter(torch.ones(5))
    watch = ClippingWatch([zero], "DGC", "what is clipped is lost")
    zero.grad = torch.zeros(5)
    for _ in range(3):
        watch.keep()
        watch.check()
    zero.grad = torch.ones(5)

    watch.keep()
    zero.grad *= 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        watch.check()
