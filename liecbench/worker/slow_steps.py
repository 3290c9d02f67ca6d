"""Fault injection: make training steps take longer by a known time.

``liecbench check self-test`` uses it to test whether a paired comparison notices such a slowdown.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch.optim import Optimizer


@contextmanager
def slow_steps(optimizer: Optimizer, added_seconds: Iterable[float]) -> Iterator[None]:
    """Make the optimizer's steps take longer while the ``with`` body runs.

    Args:
        optimizer: The optimizer. After each of its steps, the calling thread spins for the added time; the updates
            themselves stay the same.
        added_seconds: Seconds to add, one value for each step in the body, in order.
    """
    remaining = iter(added_seconds)
    hook = optimizer.register_step_post_hook(lambda *_: _keep_busy(next(remaining)))
    try:
        yield
    finally:
        hook.remove()


def _keep_busy(seconds: float) -> None:
    # Do not sleep, because then another rank could use the processor, and this step would be slowed down by less.
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass
