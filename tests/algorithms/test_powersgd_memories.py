from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

from liecbench.algorithms.powersgd import PowerSGD
from tests.algorithms import buckets
from tests.algorithms.buckets import Setup
from tests.distributed import run_ranks


def idle_steps(rank: int) -> list[bool]:
    """Return whether every matrix has an update again after two compressed steps without a gradient."""
    run = buckets.attached(PowerSGD(matrix_approximation_rank=rank))
    run.train(range(5), lambda step: 0 if step in (2, 3) else 1)
    return [bool(parameter.grad is not None and parameter.grad.any()) for parameter in run.model.parameters()]


def refusals() -> list[str]:
    algorithm, other = PowerSGD(), PowerSGD(matrix_approximation_rank=3)
    buckets.attached(other).train(range(3))
    buckets.attached(algorithm).train(range(3))
    messages = []
    for state in (other.state_dict(), {"step": 3, "memories": {}}):
        with pytest.raises(ValueError, match="belong to another") as raised:
            algorithm.load_state_dict(state)
        messages.append(str(raised.value))
    return messages


def late() -> PowerSGD:
    return PowerSGD(start_powersgd_iter=7)


def recurring_shapes() -> nn.Module:
    """Return a model with several matrices of one shape and others between them."""
    torch.manual_seed(7)
    widths = [11, 19, 19, 13, 19, 19, 5]
    layers = [layer for n, m in pairwise(widths) for layer in (nn.Linear(n, m), nn.Tanh())]
    return nn.Sequential(*layers[:-1])


def observe() -> dict[str, Any]:
    return {
        "resumed": [buckets.resumed(PowerSGD), buckets.resumed(late)],
        "resumed_in_others": buckets.resumed(
            PowerSGD, Setup(recurring_shapes, bucket_cap_mb=25), then=Setup(recurring_shapes, num_passes=0)
        ),
        "idle": [idle_steps(1), idle_steps(2), idle_steps(3)],
        "refusals": refusals(),
    }


@pytest.fixture(scope="module")
def ranks() -> list[dict[str, Any]]:
    return run_ranks(observe, 3)


def test_resumed_training_is_equal_to_the_bit(ranks: list[dict[str, Any]]) -> None:
    assert [rank["resumed"] for rank in ranks] == [[(0.0, 10), (0.0, 10)]] * 3


def test_resumed_training_continues_in_other_buckets_and_while_they_change(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        distance, step = rank["resumed_in_others"]
        assert distance < 1e-4
        assert step == 10


def test_a_matrix_is_updated_again_after_steps_without_a_gradient(ranks: list[dict[str, Any]]) -> None:
    assert [rank["idle"] for rank in ranks] == [[[True] * 6] * 3] * 3


def test_memories_of_another_rank_or_method_are_refused(ranks: list[dict[str, Any]]) -> None:
    message = "the saved memories belong to another model or to other options"
    with_options = f"{message}: matrix_approximation_rank was 3 and is 1"

    assert [rank["refusals"] for rank in ranks] == [[with_options, message]] * 3
