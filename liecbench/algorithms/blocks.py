"""Blocks: the pieces of the gradient that travel and carry memories, fixed from the parameters alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor
from torch.nn import Parameter

BYTES_PER_ELEMENT = 4


def plan_blocks(numels: Sequence[int], block_bytes: int | Literal["whole"]) -> list[list[int]]:
    """Indices of the tensors of each block: reverse order, whole tensors, up to ``block_bytes`` a block."""
    blocks: list[list[int]] = []
    room = 0.0
    for index in reversed(range(len(numels))):
        size = numels[index] * BYTES_PER_ELEMENT
        if not blocks or size > room:
            blocks.append([])
            room = float("inf") if block_bytes == "whole" else block_bytes
        blocks[-1].append(index)
        room -= size
    return blocks


@dataclass(slots=True, kw_only=True, eq=False)
class Block:
    """One piece of the gradient: its parameters, and while a step lasts their gradients as one flat vector."""

    index: int
    names: list[str]
    parameters: list[Parameter]
    gradient: Tensor = field(default_factory=lambda: torch.empty(0))
    _arrived: dict[Tensor, Tensor] = field(default_factory=dict)
    _views: list[Tensor] = field(default_factory=list)

    @property
    def numel(self) -> int:
        """Elements of all parameters together."""
        return sum(parameter.numel() for parameter in self.parameters)

    def arrive(self, parameter: Tensor, gradient: Tensor) -> bool:
        """Note the gradient of one parameter; True when it was the last one missing."""
        self._arrived[parameter] = gradient
        return len(self._arrived) == len(self.parameters)

    def gather(self) -> None:
        """Set ``gradient``: the views themselves where they adjoin in memory, a copy of them elsewhere."""
        self._views = [self._arrived[parameter].view(-1) for parameter in self.parameters]
        self._arrived = {}
        if _adjoin(self._views):
            self.gradient = self._views[0].as_strided((self.numel,), (1,))
            self._views = []
        else:
            self.gradient = torch.cat(self._views)

    def scatter(self, update: Tensor) -> None:
        """Put the update where the gradients came from."""
        if self._views:
            for view, piece in zip(self._views, update.split([v.numel() for v in self._views]), strict=True):
                view.copy_(piece)
        elif update.data_ptr() != self.gradient.data_ptr():
            self.gradient.copy_(update)
        self.forget()

    def forget(self) -> None:
        """Let go of the step's tensors."""
        self._views, self.gradient = [], torch.empty(0)

    def flat_parameters(self) -> Tensor:
        """A copy of the parameters' values as one vector."""
        return torch.cat([parameter.detach().view(-1) for parameter in self.parameters])

    def set_parameters(self, flat: Tensor) -> None:
        """The inverse of ``flat_parameters``."""
        pieces = flat.split([parameter.numel() for parameter in self.parameters])
        for parameter, piece in zip(self.parameters, pieces, strict=True):
            parameter.detach().view(-1).copy_(piece)


def _adjoin(views: list[Tensor]) -> bool:
    first = views[0].untyped_storage().data_ptr()
    if any(view.untyped_storage().data_ptr() != first for view in views):
        return False
    ends = [view.data_ptr() + view.numel() * view.element_size() for view in views]
    return all(end == view.data_ptr() for end, view in zip(ends[:-1], views[1:], strict=True))
