import time

import torch

from liecbench.worker.slow_steps import slow_steps

ADDED_SECONDS = 0.05
# A busy machine may delay one quick step as long as a slow one takes, but hardly all of these.
NUM_QUICK = 20


def seconds_of_a_step(optimizer: torch.optim.Optimizer) -> float:
    began = time.perf_counter()
    optimizer.step()
    return time.perf_counter() - began


def test_each_step_takes_its_own_time_longer() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    optimizer.step()
    with slow_steps(optimizer, [ADDED_SECONDS, 0.0, 2 * ADDED_SECONDS, *NUM_QUICK * [0.0]]):
        first, second, third, *others = (seconds_of_a_step(optimizer) for _ in range(3 + NUM_QUICK))

    assert first >= ADDED_SECONDS
    assert third >= 2 * ADDED_SECONDS
    assert min(second, *others) < ADDED_SECONDS


def test_steps_after_the_context_take_their_usual_time() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    with slow_steps(optimizer, [ADDED_SECONDS]):
        slow = seconds_of_a_step(optimizer)

    assert min(seconds_of_a_step(optimizer) for _ in range(NUM_QUICK)) < ADDED_SECONDS <= slow
