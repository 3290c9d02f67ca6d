"""Training with each optimizer of a task: the updates, and resuming in the middle to the bit."""

import io
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from liecbench.config.cell import Cell
from liecbench.worker.cell_setup import set_up
from liecbench.worker.replica import Replica
from liecbench.worker.step_timing import start_clock
from tests.distributed import run_ranks
from tests.worker.small_cells import NoLink, cell

ADAMW: dict[str, Any] = {
    "optimizer": {"name": "adamw", "betas": [0.8, 0.95], "eps": 1e-6},
    "weight_decay": 0.1,
    "learning_rate": 0.01,
    "clip_grad_norm": 0.1,
    "accumulate": 3,
    "schedule": {"name": "cosine", "warmup_steps": 2},
}
MUON: dict[str, Any] = {"optimizer": {"name": "muon", "adamw_factor": 0.5}, "momentum": 0.9, "weight_decay": 0.01}
NESTEROV: dict[str, Any] = {"optimizer": {"name": "sgd", "nesterov": True}, "momentum": 0.9, "learning_rate": 0.05}
NUM_STEPS = 5
RESUMED = {
    "adamw": cell({"name": "memsgd"}, **ADAMW),
    "adamw with local models": cell({"name": "liec", "average_period": 4}, **ADAMW),
    "muon": cell({"name": "ef21"}, **MUON, learning_rate=0.01),
    "nesterov": cell({"name": "doublesqueeze"}, **NESTEROV),
    "local muon": cell({"name": "local_sgd", "average_period": 4}, **MUON, learning_rate=0.01),
}


def train(replica: Replica, steps: range) -> None:
    clock, rng = start_clock(replica), np.random.default_rng(0)
    for step in steps:
        replica.set_learning_rate(step)
        replica.step(replica.batches.of_epoch(0)[step], rng, clock)


def parameters(replica: Replica) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in replica.model.parameters()]


def resumed(one: Cell) -> bool:
    """Return whether training that stops after two steps, and goes on in another replica, ends as if it never did."""
    whole = set_up(one, NoLink())
    train(whole, range(2))
    file = io.BytesIO()
    torch.save(whole.state_dict(), file)
    train(whole, range(2, NUM_STEPS))
    expected = parameters(whole)
    whole.close()
    again = set_up(one, NoLink())
    file.seek(0)
    again.load_state_dict(torch.load(file, weights_only=True))
    train(again, range(2, NUM_STEPS))
    found = parameters(again)
    again.close()
    return all(map(torch.equal, expected, found))


def mean_gradients(replica: Replica, model: nn.Module, step: int) -> list[Tensor]:
    """Return the mean of the gradients of all minibatches of a step on all ranks, by one backward pass over them."""
    own = replica.batches.of_epoch(0)[step]
    everyone: list[Any] = [own] * dist.get_world_size()
    dist.all_gather_object(everyone, own)
    inputs, labels = replica.task.train.batch(torch.cat(everyone), np.random.default_rng(0))
    return list(torch.autograd.grad(replica.task.loss(model(inputs), labels), list(model.parameters())))


def simulated(replica: Replica, model: nn.Module) -> Iterator[list[Tensor]]:
    """Yield the parameters after each step of AdamW as its paper defines it, on clipped mean gradients."""
    values = [parameter.detach().clone() for parameter in model.parameters()]
    first, second = ([torch.zeros_like(value) for value in values] for _ in range(2))
    num_steps = replica.steps_per_epoch * replica.cell.task.epochs
    for step in range(NUM_STEPS):
        with torch.no_grad():
            for parameter, value in zip(model.parameters(), values, strict=True):
                parameter.copy_(value)
        gradients = mean_gradients(replica, model, step)
        norm = math.sqrt(sum(float(gradient.square().sum()) for gradient in gradients))
        assert norm > 0.1
        factor = (step + 1) / 2 if step < 2 else (1 + math.cos(math.pi * (step - 2) / (num_steps - 2))) / 2
        rate = 0.01 * factor
        for index, gradient in enumerate(gradients):
            g = gradient * 0.1 / norm
            first[index] = 0.8 * first[index] + 0.2 * g
            second[index] = 0.95 * second[index] + 0.05 * g * g
            m, v = first[index] / (1 - 0.8 ** (step + 1)), second[index] / (1 - 0.95 ** (step + 1))
            values[index] = values[index] * (1 - rate * 0.1) - rate * m / (v.sqrt() + 1e-6)
        yield values


def adamw_error() -> float:
    """Return the largest difference between a replica's parameters and the simulation's, over all steps."""
    replica = set_up(cell({"name": "ddp"}, **ADAMW), NoLink())
    other = set_up(cell({"name": "ddp"}, **ADAMW), NoLink())
    errors = []
    for step, expected in enumerate(simulated(other, other.model)):
        train(replica, range(step, step + 1))
        found = parameters(replica)
        errors += [float((a - b).abs().max()) for a, b in zip(found, expected, strict=True)]
    replica.close()
    other.close()
    return max(errors)


def muon_update() -> dict[str, Any]:
    """Return which optimizer has which shapes, their learning rates, and the update's singular values of a matrix."""
    replica = set_up(cell({"name": "ddp"}, **{**MUON, "weight_decay": 0.0}, learning_rate=0.01), NoLink())
    before = replica.model[3].weight.detach().clone()  # type: ignore[index]
    train(replica, range(1))
    change = replica.model[3].weight.detach() - before  # type: ignore[index]
    found = {
        "shapes": [[list(p.shape) for p in o.param_groups[0]["params"]] for o in replica.optimizer.optimizers],
        "rates": [o.param_groups[0]["lr"] for o in replica.optimizer.optimizers],
        "values": torch.linalg.svdvals(change / 0.01).tolist(),
        "bytes": replica.optimizer.state_bytes(),
    }
    replica.close()
    return found


def clipped_locally() -> tuple[float, list[float]]:
    """Return the norm of a local update under SGD with learning rate 1, and all ranks' norms of their gradients."""
    one = cell({"name": "local_sgd", "average_period": 100}, clip_grad_norm=0.05, learning_rate=1.0)
    replica = set_up(one, NoLink())
    before = parameters(replica)
    train(replica, range(1))
    norm = math.sqrt(sum(float((a - b).square().sum()) for a, b in zip(parameters(replica), before, strict=True)))
    replica.close()
    everyone: list[float] = [norm] * dist.get_world_size()
    dist.all_gather_object(everyone, norm)
    return norm, everyone


def observe() -> dict[str, Any]:
    return {
        "resumed": {name: resumed(one) for name, one in RESUMED.items()},
        "adamw": adamw_error(),
        "muon": muon_update(),
        "clipped": clipped_locally(),
    }


@pytest.fixture(scope="module")
def observed() -> list[dict[str, Any]]:
    return run_ranks(observe, 2)


def test_adamw_with_clipping_accumulation_and_warm_up_updates_as_its_paper_says(observed: list[dict[str, Any]]) -> None:
    assert max(rank["adamw"] for rank in observed) < 1e-5


@pytest.mark.parametrize("name", RESUMED)
def test_every_optimizer_resumes_in_the_middle_to_the_bit(observed: list[dict[str, Any]], name: str) -> None:
    assert [rank["resumed"][name] for rank in observed] == [True, True]


def test_muon_has_the_matrices_of_hidden_layers_and_adamw_the_rest(observed: list[dict[str, Any]]) -> None:
    for rank in observed:
        found = rank["muon"]
        assert found["shapes"] == [[[24, 64], [24, 24]], [[24], [24], [10, 24], [10]]]
        assert found["rates"] == [0.01, 0.005]
        # Muon makes the singular values of its update nearly equal; match_rms_adamw scales by 0.2 · sqrt(24).
        scale = 0.2 * math.sqrt(24)
        assert all(0.5 * scale < value < 1.5 * scale for value in found["values"][:12])
        # One momentum for 64 · 24 + 24 · 24 numbers; for 298, two moments; a step count for each of 4 parameters.
        assert found["bytes"] == 4 * (64 * 24 + 24 * 24 + 2 * 298 + 4)


def test_local_models_are_clipped_each_by_its_own_norm(observed: list[dict[str, Any]]) -> None:
    assert [rank["clipped"][0] for rank in observed] == pytest.approx([0.05, 0.05], rel=1e-4)
