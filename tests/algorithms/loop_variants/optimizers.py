"""Variants of optimizers, their number and schedules."""

from typing import Any, Final

import torch
from torch import Tensor

from tests.algorithms.loop_variants.loop import Loop, Variants, sgd

OPTIMIZERS: Final = Variants()


class Lookahead(torch.optim.Optimizer):
    """A wrapper as people write it, which does not call ``Optimizer.__init__``."""

    def __init__(self, base: torch.optim.Optimizer) -> None:
        self.base, self.param_groups, self.state, self.defaults = base, base.param_groups, base.state, base.defaults

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.base.zero_grad(set_to_none)

    def step(self, closure: Any = None) -> Any:
        return self.base.step(closure)


@OPTIMIZERS.add
def lookahead(method: Any) -> Loop:
    return Loop(method, wraps=Lookahead).run()


@OPTIMIZERS.add
def two_optimizers(method: Any) -> Loop:
    loop = Loop(method)
    first, last = loop.model[0], loop.model[2]
    both = [torch.optim.SGD(first.parameters(), lr=0.1), torch.optim.AdamW(last.parameters(), lr=0.01)]
    loop.start(both)
    for _ in range(4):
        loop.model.zero_grad()
        loop.loss().backward()
        for optimizer in both:
            optimizer.step()
    return loop


class Together:
    """Optimizers by name, behind the methods of one, as containers of optimizers have them."""

    def __init__(self, optimizers: dict[str, torch.optim.Optimizer]) -> None:
        self.optimizers = optimizers

    def zero_grad(self) -> None:
        for optimizer in self.optimizers.values():
            optimizer.zero_grad()

    def step(self) -> None:
        for optimizer in self.optimizers.values():
            optimizer.step()


@OPTIMIZERS.add
def optimizers_by_name(method: Any) -> Loop:
    loop = Loop(method)
    first, last = loop.model[0], loop.model[2]
    both = {"first": sgd(first), "last": torch.optim.AdamW(last.parameters(), lr=0.01)}
    return loop.start(Together(both)).steps()


@OPTIMIZERS.add
def compiled_step(method: Any) -> Loop:
    loop = Loop(method).start()
    step: Any = torch.compile(loop.optimizer.step, backend="eager")
    for _ in range(4):
        loop.optimizer.zero_grad()
        loop.loss().backward()
        step()
    return loop


@OPTIMIZERS.add
def two_optimizers_of_which_one_steps(method: Any) -> Loop:
    loop = Loop(method)
    both = [torch.optim.SGD(loop.model[layer].parameters(), lr=0.1) for layer in (0, 2)]
    loop.start(both)
    for _ in range(5):
        loop.model.zero_grad()
        loop.loss().backward()
        both[0].step()
    return loop


@OPTIMIZERS.add
def group_added_later(method: Any) -> Loop:
    loop = Loop(method)
    loop.start(sgd(loop.model[0])).steps(2)
    loop.optimizer.add_param_group({"params": list(loop.model[2].parameters())})
    return loop.steps(2)


@OPTIMIZERS.add
def schedulers(method: Any) -> Loop:
    loop = Loop(method).start()
    scheduler = torch.optim.lr_scheduler.OneCycleLR(loop.optimizer, 0.1, total_steps=9)
    return loop.steps(between=scheduler.step)


@OPTIMIZERS.add
def closures(method: Any) -> Loop:
    loop = Loop(method).start()

    def closure() -> Tensor:
        loop.optimizer.zero_grad()
        loss = loop.loss()
        loss.backward()
        return loss

    for _ in range(4):
        loop.optimizer.step(closure)
    return loop
