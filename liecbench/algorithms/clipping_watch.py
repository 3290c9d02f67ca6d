"""Detect training loops that clip a method's updates with torch's own function, which a method cannot refuse."""

import warnings
from collections.abc import Iterator, Sequence
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

    It looks, in the first three steps, at the first entries of the smallest parameter that has two of them not zero.

    Args:
        parameters: The parameters whose gradients the method replaces by its update.
        method: The method's name, for the warning.
        refusal: The method's ``clipping_refusal``; nothing is watched if it is None.
    """

    def __init__(self, parameters: Sequence[Parameter], method: str, refusal: str | None) -> None:
        self._parameters, self._method, self._refusal = parameters, method, refusal
        self._steps_left = 0 if refusal is None else _MOST_STEPS
        self._kept: tuple[Parameter, Tensor] | None = None
        self._has_looked = False  # in this step

    def keep(self) -> None:
        """Copy the first entries of one parameter's update. Call it at the end of a backward pass."""
        if self._steps_left:
            self._has_looked = True
            self._kept = next(self._updates(), None)

    def check(self) -> None:
        """Warn if the update that ``keep`` copied has been scaled down since. Call it before ``optimizer.step``."""
        if not self._has_looked:
            return
        self._has_looked = False
        self._steps_left -= 1
        if self._kept is None:
            return
        (parameter, before), self._kept = self._kept, None
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

    def _updates(self) -> Iterator[tuple[Parameter, Tensor]]:
        """Yield the parameters, the smallest first, with copies of the first entries of their updates."""
        for parameter in sorted(self._parameters, key=Tensor.numel):
            if parameter.grad is not None and not parameter.grad.is_sparse:
                entries = _first_entries(parameter.grad)
                # A single number that has become smaller need not have been clipped.
                if torch.count_nonzero(entries) > 1:
                    yield parameter, entries.clone()


def _first_entries(gradient: Tensor) -> Tensor:
    return gradient.reshape(-1)[:_MOST_ENTRIES]
