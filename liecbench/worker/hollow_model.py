"""A model with another model's parameters, whose passes compute almost nothing.

The model serves to measure the seconds of a method's own work, which depends only on the shapes of the parameters. In a
step of a large model this work is less than the computing varies from step to step. In a step of a hollow model it is
nearly all the work, and took as long as in steps of a small MLP and a small GPT-2, within the noise of both.
"""

from typing import Any

import torch
from torch import Tensor, nn

from liecbench.tasks import base


class HollowModel(nn.Module):
    """Copies of the trainable parameters of ``model``, with fixed random gradients, the last parameter's first."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.tensors = nn.ParameterList(
            nn.Parameter(parameter.detach().clone()) for parameter in model.parameters() if parameter.requires_grad
        )
        self.gradients = [torch.randn_like(parameter) for parameter in self.tensors]

    def forward(self, inputs: Tensor) -> Tensor:
        """Return zero. Its backward pass gives each parameter a copy of its gradient."""
        loss = torch.zeros((), device=inputs.device)
        for parameter, gradient in zip(self.tensors, self.gradients, strict=True):
            loss = _GivenGradient.apply(loss, parameter, gradient)  # type: ignore[no-untyped-call]
        return loss


class _GivenGradient(torch.autograd.Function):
    """An autograd function that returns its first argument; the backward pass gives a parameter a given gradient."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, _parameter: Tensor, gradient: Tensor) -> Tensor:
        ctx.gradient = gradient
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        return grads[0], ctx.gradient.clone(), None


def hollow_task(task: base.Task) -> base.Task:
    """Return a task with the data of ``task`` and a hollow copy of its model."""
    model = HollowModel(task.model)
    return base.Task(model=model, train=task.train, test=task.test, loss=lambda outputs, _labels: outputs)
