"""Clipping by the norm of the update: which methods refuse it, in the library."""

from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from liecbench.algorithms import Algorithm
from tests.algorithms import network
from tests.algorithms.every_method import classes, made
from tests.distributed import run_ranks

# A power of two scales every float exactly.
FACTOR = 8
# The update of DGC is the momentum of many steps, and CSER's must be what its memories say.
REFUSED_FOR_ANOTHER_REASON = {"dgc", "cser"}


def update(cls: type[Algorithm], factor: float) -> tuple[Algorithm, Any, Tensor]:
    """Return a method, its model and the update of the second step, from losses times ``factor``."""
    algorithm = made(cls)
    model, ddp, optimizer = network.made(algorithm)
    optimizer.param_groups[0]["lr"] = 1e-7  # so that the second gradient is taken at almost the same point
    for step in range(2):
        optimizer.zero_grad()
        (network.loss(ddp, step, dist.get_rank()) * factor).backward()
        if step == 0:
            optimizer.step()
    return algorithm, model, gradients(model)


def gradients(model: Any) -> Tensor:
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def observe() -> dict[str, dict[str, Any]]:
    seen: dict[str, dict[str, Any]] = {}
    for name, cls in classes().items():
        own = seen[name] = {}
        norms = []
        for factor in (1, FACTOR):
            algorithm, model, before = update(cls, factor)
            norms.append(float(before.norm()))
            if factor == 1:
                algorithm.close()
        own["growth"] = norms[1] / norms[0]
        own["before"] = norms[1]
        own["norm"] = float(algorithm.clip_grad_norm_(torch.inf))
        own["unclipped"] = float(gradients(model).norm())
        try:
            algorithm.clip_grad_norm_(norms[1] / 4)
        except ValueError as error:
            own["error"] = str(error)
        own["after"] = float(gradients(model).norm())
        algorithm.close()
    return seen


@pytest.fixture(scope="module")
def seen() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = run_ranks(observe, 2)[0]
    return found


@pytest.mark.parametrize("name", list(classes()))
def test_an_update_is_clipped_only_if_it_is_in_units_of_the_gradient(
    seen: dict[str, dict[str, Any]], name: str
) -> None:
    own = seen[name]

    grows = own["growth"] == pytest.approx(FACTOR, rel=0.05)
    assert ("error" in own) == (not grows or name in REFUSED_FOR_ANOTHER_REASON), own
    if "error" in own:
        reason = classes()[name].clipping_refusal
        assert own["error"] == f"{classes()[name].__name__} is not defined with clipped updates: {reason}"
        assert own["after"] == own["before"]
    else:
        assert own["after"] <= own["before"] / 4 * 1.001


@pytest.mark.parametrize("name", list(classes()))
def test_an_infinite_norm_changes_nothing_and_returns_the_norm(seen: dict[str, dict[str, Any]], name: str) -> None:
    own = seen[name]

    assert own["unclipped"] == own["before"]
    assert own["norm"] >= own["before"] * 0.999  # the largest of all ranks


def test_the_methods_whose_updates_have_other_units_than_gradients_refuse(seen: dict[str, dict[str, Any]]) -> None:
    refused = {name for name, own in seen.items() if "error" in own}

    assert refused == {"signsgd", "demo", "onebit_adam", "dgc", "cser"}
