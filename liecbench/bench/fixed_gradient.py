"""A model whose backward is nearly free: all that a step takes is what its gradient does on the network."""

import itertools
from typing import Any

import torch
from torch import Tensor, nn


def resnet18_numels() -> list[int]:
    """Parameter tensors of a ResNet-18 for small images, in order: convolutions, norms, one linear layer."""
    numels = [3 * 64 * 9, 64, 64]
    for inside, outside in itertools.pairwise((64, 64, 128, 256, 512)):
        numels += [inside * outside * 9, outside, outside, *[outside * outside * 9, outside, outside] * 3]
        numels += [inside * outside, outside, outside] if inside != outside else []
    return [*numels, 512 * 10, 10]


def parameter_numels(size: int) -> list[int]:
    """``size`` elements cut in the proportions of ResNet-18, so that at its size blocks of 25 MiB number two."""
    numels = resnet18_numels()
    ends = [round(size * end / sum(numels)) for end in itertools.accumulate(numels)]
    return [end - start for start, end in itertools.pairwise([0, *ends]) if end > start]


class _Given(torch.autograd.Function):
    """Zero, with a gradient that is given."""

    @staticmethod
    def forward(ctx: Any, parameter: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return parameter.new_zeros(())

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return gradient, None


class FixedGradient(nn.Module):
    """Parameters whose gradient is the same random vector at every step, another one on every rank."""

    def __init__(self, numels: list[int], seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.pieces = nn.ParameterList(torch.zeros(numel) for numel in numels)
        self._gradients = [torch.randn(numel, generator=generator) for numel in numels]

    def forward(self) -> Tensor:
        """A loss of zero; its backward pass hands out the gradients and computes nothing."""
        pairs = zip(self.pieces, self._gradients, strict=True)
        losses = [_Given.apply(piece, gradient) for piece, gradient in pairs]  # type: ignore[no-untyped-call]
        return torch.stack(losses).sum()
