"""Steps by ``optimizer.step(closure)``: every method counts them, and a resumed training is the uninterrupted one."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from liecbench.algorithms import Algorithm, PowerSGD
from tests.algorithms import network
from tests.algorithms.every_method import classes, made
from tests.distributed import run_ranks

NUM_STEPS, CUTS = 7, (1, 2, 3, 5)
# Compression begins where one of the cuts is, and not only at the smallest number of steps.
LATE = "powersgd that starts late"
MAKERS: dict[str, Callable[[], Algorithm]] = {
    **{name: lambda cls=cls: made(cls) for name, cls in classes().items()},  # type: ignore[misc]
    LATE: lambda: PowerSGD(start_powersgd_iter=5),
}
State = tuple[dict[str, Any], dict[str, Any]]


def trained(
    make: Callable[[], Algorithm], first: int, last: int, state: State | None = None, *, closure: bool
) -> tuple[Tensor, State, list[int]]:
    """Train; return the model, the states of method and model at the end, and the step count after each step."""
    algorithm, counts = make(), []
    model, ddp, optimizer = network.made(algorithm)
    optimizer.param_groups[0]["lr"] = 0.01
    if state is not None:
        model.load_state_dict(state[1])
        algorithm.load_state_dict(state[0])
    for step in range(first, last):

        def backward(step: int = step) -> Any:
            optimizer.zero_grad()
            loss = network.loss(ddp, step, dist.get_rank())
            loss.backward()
            return loss

        if closure:
            optimizer.step(backward)
        else:
            backward()
            optimizer.step()
        counts.append(algorithm.step)
    kept = copy.deepcopy(algorithm.state_dict()), copy.deepcopy(model.state_dict())
    algorithm.close()
    return network.flat(model), kept, counts


def observe() -> dict[str, dict[str, Any]]:
    seen: dict[str, dict[str, Any]] = {}
    for name, make in MAKERS.items():
        own = seen[name] = {}
        for closure in (True, False):
            whole, _, counts = trained(make, 0, NUM_STEPS, closure=closure)
            differences = []
            for cut in CUTS:
                _, state, _ = trained(make, 0, cut, closure=closure)
                resumed, _, _ = trained(make, cut, NUM_STEPS, state, closure=closure)
                differences.append(float((resumed - whole).abs().max()))
            kind = "closure" if closure else "plain"
            own |= {kind: whole, f"{kind} counts": counts, f"{kind} differences": differences}
    return seen


@pytest.fixture(scope="module")
def ranks() -> list[dict[str, dict[str, Any]]]:
    return run_ranks(observe, 2)


@pytest.mark.parametrize("name", MAKERS)
def test_a_step_with_a_closure_is_a_step(ranks: list[dict[str, dict[str, Any]]], name: str) -> None:
    for rank in ranks:
        own = rank[name]
        assert own["closure counts"] == own["plain counts"] == list(range(1, NUM_STEPS + 1))
        assert torch.equal(own["closure"], own["plain"])


@pytest.mark.parametrize("kind", ["closure", "plain"])
@pytest.mark.parametrize("name", MAKERS)
def test_a_training_resumed_after_any_step_is_the_uninterrupted_one(
    ranks: list[dict[str, dict[str, Any]]], name: str, kind: str
) -> None:
    assert [rank[name][f"{kind} differences"] for rank in ranks] == [[0.0] * len(CUTS)] * 2
