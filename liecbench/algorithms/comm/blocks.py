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
    _copied: list[Tensor] = field(default_factory=list)

    @property
    def numel(self) -> int:
        """Elements of all parameters together."""
        return sum(parameter.numel() for parameter in self.parameters)

    def arrive(self, parameter: Tensor, gradient: Tensor) -> bool:
        """Note the gradient of one parameter; True when it was the last one missing."""
        self._arrived[parameter] = gradient
        return len(self._arrived) == len(self.parameters)

    def gather(self) -> None:
        """Set ``gradient``: the float32 views themselves where they adjoin in memory, a float32 copy elsewhere."""
        self._copied = [self._arrived[parameter] for parameter in self.parameters]
        self._arrived = {}
        if _adjoin(self._copied):
            self.gradient = self._copied[0].as_strided((self.numel,), (1,))
            self._copied = []
        else:
            self.gradient = torch.cat([gradient.reshape(-1).float() for gradient in self._copied])

    def scatter(self, update: Tensor) -> None:
        """Put the update where the gradients came from."""
        if self._copied:
            for gradient, piece in zip(self._copied, update.split([g.numel() for g in self._copied]), strict=True):
                gradient.copy_(piece.view_as(gradient))
        elif update.data_ptr() != self.gradient.data_ptr():
            self.gradient.copy_(update)
        self.forget()

    def forget(self) -> None:
        """Let go of the step's tensors."""
        self._copied, self.gradient = [], torch.empty(0)

    def flat_parameters(self) -> Tensor:
        """A copy of the parameters' values as one float32 vector."""
        return torch.cat([parameter.detach().reshape(-1).float() for parameter in self.parameters])

    def set_parameters(self, flat: Tensor) -> None:
        """The inverse of ``flat_parameters``."""
        pieces = flat.split([parameter.numel() for parameter in self.parameters])
        for parameter, piece in zip(self.parameters, pieces, strict=True):
            parameter.detach().copy_(piece.view_as(parameter))


def _adjoin(gradients: list[Tensor]) -> bool:
    if any(gradient.dtype != torch.float32 or not gradient.is_contiguous() for gradient in gradients):
        return False
    first = gradients[0].untyped_storage().data_ptr()
    if any(gradient.untyped_storage().data_ptr() != first for gradient in gradients):
        return False
    ends = [gradient.data_ptr() + gradient.nbytes for gradient in gradients]
    return all(end == gradient.data_ptr() for end, gradient in zip(ends[:-1], gradients[1:], strict=True))
