"""Watch the steps of all optimizers, also of those to which no algorithm is attached."""

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook


def watch_every_step(call: Callable[[Optimizer], None]) -> Any:
    """Call ``call(optimizer)`` after each step of any torch optimizer, until the returned handle is removed.

    Args:
        call: A bound method. Its object may be freed in the meantime, which ends the watch.
    """
    method: weakref.WeakMethod[Callable[[Optimizer], None]] = weakref.WeakMethod(call)

    def hook(optimizer: Optimizer, *_: object) -> None:
        if torch.compiler.is_compiling():  # another optimizer's step, which need not be interrupted
            return
        if (bound := method()) is not None:
            bound(optimizer)

    handle = register_optimizer_step_post_hook(hook)
    weakref.finalize(call.__self__, handle.remove).atexit = False  # type: ignore[attr-defined]
    return handle
