"""Variants of the code around a model and its optimizer."""

from typing import Any, Final

import torch
from torch import Tensor, nn

from tests.algorithms.loop_variants.loop import Loop, Variants, unchanged, without_warnings

TRAINING_LOOPS: Final = Variants()


@TRAINING_LOOPS.add
def plain_loop(method: Any) -> Loop:
    return Loop(method).run()


@TRAINING_LOOPS.add
def gradients_set_to_none(method: Any) -> Loop:
    loop = Loop(method).start()
    with unchanged(loop.model[2].weight):
        return loop.steps(1, between=loop.model[2].zero_grad)


@TRAINING_LOOPS.add
def gradients_zeroed(method: Any) -> Loop:
    loop = Loop(method)
    loop.start(torch.optim.SGD(loop.model.parameters(), lr=0.1))
    with unchanged(loop.model[2].weight):
        return loop.steps(1, between=lambda: loop.model[2].zero_grad(set_to_none=False))


@TRAINING_LOOPS.add
def a_step_without_gradients(method: Any) -> Loop:
    loop = Loop(method).start()
    with unchanged(loop.model[2].weight):
        loop.steps(1, between=lambda: loop.optimizer.zero_grad())
    return loop.steps()


@TRAINING_LOOPS.add
def a_batch_without_a_step(method: Any) -> Loop:
    loop = Loop(method).start()
    with without_warnings():
        loop.steps(2)
        loop.optimizer.zero_grad()
        loop.loss().backward()
        return loop.steps(2)


@TRAINING_LOOPS.add
def clipping_by_torch(method: Any) -> Loop:
    loop = Loop(method)
    return loop.run(lambda: nn.utils.clip_grad_norm_(loop.model.parameters(), 0.01))


@TRAINING_LOOPS.add
def clipping_by_the_method(method: Any) -> Loop:
    return Loop(method).run(lambda: method.clip_grad_norm_(0.01))


@TRAINING_LOOPS.add
def hooks_on_gradients(method: Any) -> Loop:
    loop = Loop(method)
    for parameter in loop.model.parameters():
        parameter.register_hook(lambda gradient: gradient * 2)
    return loop.run()


def double(parameter: Tensor) -> None:
    assert parameter.grad is not None
    parameter.grad.mul_(2)


@TRAINING_LOOPS.add
def hooks_after_accumulation(method: Any) -> Loop:
    loop = Loop(method)
    for parameter in loop.model.parameters():
        parameter.register_post_accumulate_grad_hook(double)
    return loop.run()


@TRAINING_LOOPS.add
def accumulation_under_no_sync(method: Any) -> Loop:
    loop = Loop(method).start()
    with without_warnings():
        for _ in range(3):
            loop.optimizer.zero_grad()
            with loop.ddp.no_sync():
                loop.loss().backward()
            loop.loss().backward()
            loop.optimizer.step()
    return loop


@TRAINING_LOOPS.add
def join_that_is_not_enabled(method: Any) -> Loop:
    loop = Loop(method).start()
    with loop.ddp.join(enable=False):
        return loop.steps()


@TRAINING_LOOPS.add
def autocast(method: Any) -> Loop:
    with torch.autocast("cpu", torch.bfloat16):
        return Loop(method).run()


@TRAINING_LOOPS.add
def frozen_in_the_middle(method: Any) -> Loop:
    loop = Loop(method, options={"find_unused_parameters": True}).start().steps(2)
    loop.model[0].requires_grad_(False)
    return loop.steps(2)


@TRAINING_LOOPS.add
def detached_in_the_middle(method: Any) -> Loop:
    loop = Loop(method).start().steps(2)
    method.detach()
    before = [parameter.detach().clone() for parameter in loop.model.parameters()]
    loop.steps(2)
    assert not any(map(torch.equal, before, loop.model.parameters()))
    return loop
