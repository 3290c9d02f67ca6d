"""A model with a fixed gradient, whose backward pass costs almost nothing, so that a step's time is communication."""

import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


def resnet18_numels() -> list[int]:
    """Return the number of elements of each parameter tensor of a ResNet-18 for small images and ten classes.

    The model is torchvision's ResNet-18 with a 3 × 3 stem. The order is that of the model, except that the tensors of
    a stage's 1 × 1 shortcut come after all others of the stage.
    """
    numels = [3 * 64 * 9, 64, 64]
    for inside, outside in itertools.pairwise((64, 64, 128, 256, 512)):
        numels += [inside * outside * 9, outside, outside, *[outside * outside * 9, outside, outside] * 3]
        numels += [inside * outside, outside, outside] if inside != outside else []
    return [*numels, 512 * 10, 10]


def parameter_numels(size: int) -> list[int]:
    """Return sizes of tensors that add up to ``size`` elements, in the proportions of ResNet-18's parameter tensors.

    At ResNet-18's own size the tensors fill two of DDP's buckets of 25 MiB.
    """
    numels = resnet18_numels()
    ends = [round(size * end / sum(numels)) for end in itertools.accumulate(numels)]
    return [end - start for start, end in itertools.pairwise([0, *ends]) if end > start]


class _ConstantGradient(torch.autograd.Function):
    """An autograd function of a parameter and a gradient. The output is 0; the backward pass returns the gradient."""

    @staticmethod
    def forward(ctx: Any, parameter: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return parameter.new_zeros(())

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return gradient, None


class FixedGradient(nn.Module):
    """A model whose gradient is the same random vector in every step.

    Args:
        numels: Numbers of elements of the parameter tensors.
        seed: Seed of the random gradient. Give each rank a different seed.
    """

    def __init__(self, numels: list[int], seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.tensors = nn.ParameterList(torch.zeros(numel) for numel in numels)
        self._gradients = [torch.randn(numel, generator=generator) for numel in numels]

    def forward(self) -> Tensor:
        """Return a loss of zero. The loss's backward pass gives each parameter its fixed, random gradient."""
        pairs = zip(self.tensors, self._gradients, strict=True)
        loss: Callable[[Tensor, Tensor], Tensor] = _ConstantGradient.apply
        losses = [loss(tensor, gradient) for tensor, gradient in pairs]
        return torch.stack(losses).sum()
