"""Fault injection: optimizer steps that take longer by a known time, for the gate's self-test."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch.optim import Optimizer


@contextmanager
def slow_steps(optimizer: Optimizer, added_seconds: Iterable[float]) -> Iterator[None]:
    """Make the optimizer's steps take longer while the context lasts.

    Args:
        optimizer: Its steps keep a processor busy after each update; what they compute stays the same.
        added_seconds: Seconds to add, one value per step, in the order of the steps.
    """
    remaining = iter(added_seconds)
    hook = optimizer.register_step_post_hook(lambda *_: _keep_busy(next(remaining)))
    try:
        yield
    finally:
        hook.remove()


def _keep_busy(seconds: float) -> None:
    # Sleeping would give the processor to the other rank, and slow this one down by less.
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass
