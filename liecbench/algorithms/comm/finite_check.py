"""Whether what came was finite, asked on a GPU, where the answer is there only later."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class _Doubt:
    flag: Tensor
    told: Callable[[], None]
    about: str


class Doubts:
    """Flags of a step, copied to the host behind the work, which nobody waits for.

    Where ``late`` a step's flags are looked at when the next one ends, so that the host may run ahead of the GPU.
    """

    def __init__(self, *, late: bool) -> None:
        self._late = late
        self._now: list[_Doubt] = []
        self._before: list[_Doubt] = []

    def ask(self, flag: Tensor, about: str) -> None:
        """Remember a boolean of shape []; ``about`` is the error's message if it turns out false."""
        host = torch.empty((), dtype=torch.bool, pin_memory=flag.is_cuda)
        host.copy_(flag, non_blocking=True)
        self._now.append(_Doubt(host, _reached(flag), about))

    def step_ends(self) -> str | None:
        """What was not finite, in this step or, where answers come late, in the one before."""
        due = self._before if self._late else [*self._before, *self._now]
        self._before, self._now = (self._now, []) if self._late else ([], [])
        return _first(due)

    def all(self) -> str | None:
        """What was not finite so far; waits for the GPU."""
        due, self._before, self._now = [*self._before, *self._now], [], []
        return _first(due)


def _first(doubts: list[_Doubt]) -> str | None:
    for doubt in doubts:
        doubt.told()
        if not doubt.flag:
            return doubt.about
    return None


def _reached(flag: Tensor) -> Callable[[], None]:
    """Waits until the work given out so far is done where ``flag`` is."""
    if not flag.is_cuda:
        return lambda: None
    event = torch.cuda.Event()
    event.record(torch.cuda.current_stream(flag.device))
    return event.synchronize
