"""A hollow model: copies of a real model's trainable parameters, with passes that compute almost nothing.

A method's own work is timed on a hollow model, because the work depends only on the parameters' shapes. On a large real
model, the compute time per step varies by more than the seconds of this work. For a small MLP and a small GPT-2, the
seconds measured on the hollow and on the real model were equal within their noise.
"""

from typing import Any

import torch
from torch import Tensor, nn

from liecbench.tasks import base


class HollowModel(nn.Module):
    """A model that has copies of the trainable parameters of ``model``, and fixed random tensors as gradients.

    The backward pass begins with the gradient of the last parameter.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.tensors = nn.ParameterList(
            nn.Parameter(parameter.detach().clone()) for parameter in model.parameters() if parameter.requires_grad
        )
        self.gradients = [torch.randn_like(parameter) for parameter in self.tensors]

    def forward(self, inputs: Tensor) -> Tensor:
        """Return zero, as a scalar whose backward pass sets the fixed gradients."""
        loss = torch.zeros((), device=inputs.device)
        for parameter, gradient in zip(self.tensors, self.gradients, strict=True):
            loss = _GivenGradient.apply(loss, parameter, gradient)  # type: ignore[no-untyped-call]
        return loss


class _GivenGradient(torch.autograd.Function):
    """An autograd function that returns its first argument.

    In the backward pass, the second argument, a parameter, gets the third argument as its gradient.
    """

    @staticmethod
    def forward(ctx: Any, value: Tensor, _parameter: Tensor, gradient: Tensor) -> Tensor:
        ctx.gradient = gradient
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        return grads[0], ctx.gradient.clone(), None


def hollow_task(task: base.Task) -> base.Task:
    """Return a task with the data of ``task``, and with a ``HollowModel`` in place of its model.

    The passes of this model compute almost nothing. The loss is the model's output.
    """
    model = HollowModel(task.model)
    return base.Task(model=model, train=task.train, test=task.test, loss=lambda outputs, _labels: outputs)
