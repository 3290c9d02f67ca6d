"""Checks that values on a GPU are finite. The host reads the results later, so that it does not wait for the GPU."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class _Pending:
    flag: Tensor
    wait: Callable[[], None]
    message: str


class FiniteCheck:
    """Checks during training steps that values are finite.

    Each check is a flag, which is True if the values are finite, and an error message. ``end_step`` returns the message
    of the first false flag, or None if all flags are true.

    Args:
        is_async: True if ``end_step`` considers the flags of the step before the one that ends, so that the host need
            not wait for the GPU. Otherwise, ``end_step`` considers the flags of the step that ends.
    """

    def __init__(self, *, is_async: bool) -> None:
        self._is_async = is_async
        self._this_step: list[_Pending] = []
        self._last_step: list[_Pending] = []

    def submit(self, flag: Tensor, message: str) -> None:
        """Add the flag of one check to the flags of the current step, without waiting for a GPU.

        Args:
            flag: A boolean tensor of shape ``[]``, True if the checked values are finite.
            message: The error message that ``end_step`` or ``finish`` returns if the flag is False.
        """
        on_host = torch.empty((), dtype=torch.bool, pin_memory=flag.is_cuda)
        on_host.copy_(flag, non_blocking=True)
        self._this_step.append(_Pending(on_host, _wait_for_issued_work(flag), message))

    def end_step(self) -> str | None:
        """End the current step, and return the message of the first failed check; None if no check failed.

        A check fails if the flag given to ``submit`` is False. The checks considered are those submitted in the current
        step. If ``is_async`` is True, the checks submitted in the step before are considered instead.
        """
        due = self._last_step if self._is_async else [*self._last_step, *self._this_step]
        self._last_step, self._this_step = (self._this_step, []) if self._is_async else ([], [])
        return _first_failure(due)

    def finish(self) -> str | None:
        """Read all flags that ``end_step`` has not read yet, for example before the training ends.

        Return the message of the first false flag, or None if all flags are true.
        """
        due, self._last_step, self._this_step = [*self._last_step, *self._this_step], [], []
        return _first_failure(due)


def _first_failure(pending: list[_Pending]) -> str | None:
    for check in pending:
        check.wait()
        if not check.flag:
            return check.message
    return None


def _wait_for_issued_work(flag: Tensor) -> Callable[[], None]:
    """Record an event on the current stream of ``flag``'s GPU, and return a function that waits for the event.

    The returned function blocks the host until the work issued before the event is done. If ``flag`` is on the CPU, the
    returned function does nothing.
    """
    if not flag.is_cuda:
        return lambda: None
    event = torch.cuda.Event()
    event.record(torch.cuda.current_stream(flag.device))
    return event.synchronize
