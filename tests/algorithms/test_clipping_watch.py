import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from liecbench.algorithms import Algorithm, MemSGD, OneBitAdam, SignSGD
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


def observe() -> dict[str, Any]:
    return {
        "sign": warnings_of(SignSGD(), clip),
        "adam": warnings_of(OneBitAdam(freeze_step=2), clip),
        "unclipped": warnings_of(SignSGD(), lambda _: None),
        "dropped": warnings_of(SignSGD(), drop),
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
