"""Detect training loops that clip a method's updates with torch's own function, which a method cannot refuse."""

import warnings
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor
from torch.nn import Parameter

# Reading a gradient makes the host wait for a GPU. A loop that clips does so from the first step on.
_MOST_STEPS: Final = 3
# More would need memory, and tell nothing more.
_MOST_ENTRIES: Final = 4096
# Gradients that are smaller by a smaller part are rounding.
_LARGEST_RATIO: Final = 0.999


class ClippingWatch:
    """Warns, once, if the training loop scales down the updates of a method that must not be clipped.

    It looks at the first entries of one parameter, the smallest, in the first three steps.

    Args:
        parameters: The parameters whose gradients the method replaces by its update.
        method: The method's name, for the warning.
        refusal: The method's ``clipping_refusal``; nothing is watched if it is None.
    """

    def __init__(self, parameters: Sequence[Parameter], method: str, refusal: str | None) -> None:
        self._parameters, self._method, self._refusal = parameters, method, refusal
        self._steps_left = 0 if refusal is None else _MOST_STEPS
        self._kept: tuple[Parameter, Tensor] | None = None

    def keep(self) -> None:
        """Copy the first entries of one parameter's update. Call it at the end of a backward pass."""
        if self._steps_left:
            used = [parameter for parameter in self._parameters if parameter.grad is not None and parameter.numel()]
            smallest = min(used, key=Tensor.numel, default=None)
            if smallest is not None and smallest.grad is not None and not smallest.grad.is_sparse:
                self._kept = smallest, _first_entries(smallest.grad).clone()

    def check(self) -> None:
        """Warn if the update that ``keep`` copied has been scaled down since. Call it before ``optimizer.step``."""
        if self._kept is None:
            return
        (parameter, before), self._kept = self._kept, None
        self._steps_left -= 1
        if parameter.grad is None or parameter.grad.is_sparse:
            return
        after, norm = _first_entries(parameter.grad), before.norm()
        ratio = float(after.norm() / norm) if norm else 1.0
        if 0 < ratio < _LARGEST_RATIO and torch.allclose(after, before * ratio, rtol=1e-2, atol=0.0):
            self._steps_left = 0
            warnings.warn(
                f"the update of {self._method} was multiplied by {ratio:.2g} after the backward pass, as clipping "
                f"does, with which it is not defined: {self._refusal}",
                stacklevel=2,
            )


def _first_entries(gradient: Tensor) -> Tensor:
    return gradient.reshape(-1)[:_MOST_ENTRIES]
