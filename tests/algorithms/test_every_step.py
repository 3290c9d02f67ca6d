import gc
import weakref

import torch
from torch.optim import Optimizer
from torch.optim.optimizer import _global_optimizer_post_hooks

from liecbench.algorithms.every_step import watch_every_step


class Watcher:
    """Counts the steps of all optimizers."""

    def __init__(self) -> None:
        self.number = 0

    def count(self, optimizer: Optimizer) -> None:
        self.number += 1


def step() -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.grad = torch.ones(2)
    torch.optim.SGD([parameter], lr=0.1).step()


def test_steps_are_watched_until_the_handle_is_removed() -> None:
    watcher = Watcher()
    handle = watch_every_step(watcher.count)
    step()
    step()
    handle.remove()
    step()

    assert watcher.number == 2


def test_a_watcher_is_freed_and_leaves_no_hook() -> None:
    before, watcher = len(_global_optimizer_post_hooks), Watcher()
    watch_every_step(watcher.count)
    freed, during = weakref.ref(watcher), len(_global_optimizer_post_hooks)
    del watcher
    gc.collect()
    step()

    assert freed() is None
    assert (during, len(_global_optimizer_post_hooks)) == (before + 1, before)
