"""Optimizers around optimizers: every step of the training loop is one step of the method."""

from collections.abc import Callable
from typing import Any, Final

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import LocalSGD
from tests.algorithms import network
from tests.algorithms.loop_variants.optimizers import Lookahead
from tests.distributed import run_ranks


class Recording(LocalSGD):
    """Local SGD that records when it is called around steps, and that averages the models in every step."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.calls: list[str] = []

    def before_step(self) -> None:
        self.calls.append("before")
        super().before_step()

    def after_step(self) -> None:
        self.calls.append("after")
        super().after_step()


class SAM(torch.optim.Optimizer):
    """Sharpness-aware minimization (Foret et al., 2021) as people write it: it calls ``Optimizer.__init__``."""

    def __init__(self, base: torch.optim.Optimizer) -> None:
        super().__init__(base.param_groups, {})
        self.base, self.param_groups, self.climbed = base, base.param_groups, False

    def first_step(self) -> None:
        self.climbed = True
        self.zero_grad()

    def second_step(self) -> None:
        self.base.step()
        self.zero_grad()

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        closure()
        self.second_step()


class Twice(torch.optim.SGD):
    """An optimizer whose step calls the step of its base class."""

    def step(self, closure: Any = None) -> Any:
        return super().step(closure)


class Both:
    """An object without hooks that wraps two optimizers."""

    def __init__(self, optimizers: list[torch.optim.Optimizer]) -> None:
        self.optimizers = optimizers

    def zero_grad(self) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad()

    def step(self) -> None:
        for optimizer in self.optimizers:
            optimizer.step()


def sgd(model: nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr=0.1)


def halves(model: nn.Module) -> list[torch.optim.Optimizer]:
    parameters = list(model.parameters())
    return [torch.optim.SGD(parameters[:2], lr=0.1), torch.optim.SGD(parameters[2:], lr=0.1)]


MAKERS: Final[dict[str, Callable[[nn.Module], Any]]] = {
    "lookahead": lambda model: Lookahead(sgd(model)),
    "lookahead twice": lambda model: Lookahead(Lookahead(sgd(model))),
    "sam": lambda model: SAM(sgd(model)),
    "sam in two steps": lambda model: SAM(sgd(model)),
    "super step": lambda model: Twice(model.parameters(), lr=0.1),
    "both": lambda model: Both(halves(model)),
    "closure that failed": lambda model: Twice(model.parameters(), lr=0.1),
}


def train_step(name: str, optimizer: Any, loss: Callable[[], Tensor]) -> None:
    optimizer.zero_grad()
    if name == "sam":
        optimizer.step(lambda: loss().backward())
    elif name == "sam in two steps":
        loss().backward()
        optimizer.first_step()
        loss().backward()
        optimizer.second_step()
    else:
        loss().backward()
        optimizer.step()


def trained(name: str) -> list[tuple[list[str], Tensor]]:
    """Attach to one optimizer twice; return the calls and the local model after two steps each."""
    model = network.build()
    ddp, optimizer, seen = DistributedDataParallel(model), MAKERS[name](model), []
    for first in (0, 2):
        algorithm = Recording(average_period=1)
        algorithm.attach(ddp, optimizer)
        if name == "closure that failed":
            with pytest.raises(ZeroDivisionError):
                optimizer.step(lambda: 1 / 0)
            algorithm.calls.clear()
        for step in (first, first + 1):
            train_step(name, optimizer, lambda step=step: network.loss(ddp, step, dist.get_rank()))  # type: ignore[misc]
        seen.append((algorithm.calls, network.flat(model)))
        algorithm.detach()
    return seen


def refused() -> str:
    from torch.distributed.optim import ZeroRedundancyOptimizer

    model = network.build()
    inner = ZeroRedundancyOptimizer(model.parameters(), optimizer_class=torch.optim.SGD, lr=0.1)
    with pytest.raises(TypeError) as raised:
        LocalSGD(average_period=1).attach(DistributedDataParallel(model), Lookahead(inner))
    return str(raised.value)


def observe() -> dict[str, Any]:
    return {**{name: trained(name) for name in MAKERS}, "sharded": refused()}


@pytest.fixture(scope="module")
def ranks() -> list[dict[str, Any]]:
    return run_ranks(observe, 2)


@pytest.mark.parametrize("name", MAKERS)
def test_a_step_is_one_step_of_the_method_after_each_attach(ranks: list[dict[str, Any]], name: str) -> None:
    once = ["before", "after"] if name != "both" else ["before", "before", "after"]
    for (calls, model), (its_calls, its_model) in zip(*(rank[name] for rank in ranks), strict=True):
        assert calls == its_calls == once * 2
        assert torch.equal(model, its_model)


def test_a_wrapped_optimizer_that_shards_its_state_is_refused(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        assert rank["sharded"].startswith("ZeroRedundancyOptimizer shards the optimizer's state over the ranks")
