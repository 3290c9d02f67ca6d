"""Fault injection for the paired gate's self-test: make optimizer steps take longer by a known time."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch.optim import Optimizer


@contextmanager
def slow_steps(optimizer: Optimizer, added_seconds: Iterable[float]) -> Iterator[None]:
    """Make the optimizer's steps take longer while the context lasts.

    Args:
        optimizer: The optimizer. After each of its updates a processor is kept busy; the updates do not change.
        added_seconds: Seconds to add, one value per step, in the order of the steps.
    """
    remaining = iter(added_seconds)
    hook = optimizer.register_step_post_hook(lambda *_: _keep_busy(next(remaining)))
    try:
        yield
    finally:
        hook.remove()


def _keep_busy(seconds: float) -> None:
    # Do not sleep: that would leave the processor to the other rank, and slow this rank down by less.
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass
