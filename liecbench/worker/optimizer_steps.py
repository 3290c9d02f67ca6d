"""The optimizers of a task, stepped as one: clip the gradient, then update the model's parameters."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import torch._dynamo  # noqa: F401 - early: torch's optimizers would import it in the first cell, for seconds
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim import Optimizer

from liecbench.config.optimizer_fields import make_optimizer
from liecbench.config.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerSteps:
    """The optimizers of a task, which update the parameters after clipping the gradient.

    Before a step, the method replaces the gradient by an update, and this update is clipped. If a method keeps local
    models, the updates differ between workers, and each worker clips by the norm of its own update.

    Attributes:
        optimizers: Torch's optimizers. Most tasks have one. With Muon, for example, there are two: torch's Muon for
            some parameters and AdamW for the others.
        learning_rates: The learning rate of each optimizer before the schedule changes it.
        parameters: The parameters of all optimizers.
        max_norm: The norm to which clipping scales down an update of larger norm; None if updates are not clipped.
    """

    optimizers: tuple[Optimizer, ...]
    learning_rates: tuple[float, ...]
    parameters: tuple[Parameter, ...]
    max_norm: float | None

    @classmethod
    def of(cls, task: Task, model: nn.Module, *, learning_rate: float | None = None) -> Self:
        """Build a task's optimizers for ``model``, with the task's learning rate if ``learning_rate`` is None."""
        rate = task.learning_rate if learning_rate is None else learning_rate
        optimizers = make_optimizer(task).build(model, rate)
        return cls(
            optimizers=tuple(optimizers),
            learning_rates=tuple(float(optimizer.param_groups[0]["lr"]) for optimizer in optimizers),
            parameters=tuple(parameter for optimizer in optimizers for parameter in _parameters(optimizer)),
            max_norm=task.clip_grad_norm,
        )

    def set_learning_rate(self, factor: float) -> None:
        """Set each optimizer's learning rate to ``factor`` × the optimizer's initial rate in ``learning_rates``."""
        for optimizer, rate in zip(self.optimizers, self.learning_rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor

    def zero_grad(self) -> None:
        """Remove the gradients of all parameters."""
        for optimizer in self.optimizers:
            optimizer.zero_grad()

    def clip(self) -> None:
        """Scale the gradient so that its norm is at most ``max_norm``, unless this is None."""
        if self.max_norm is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.max_norm)

    def clip_in_step(self) -> None:
        """Make every later ``step`` clip the gradient before it updates the parameters, unless ``max_norm`` is None.

        Call this function once. If a method is used, attach the method first, so that the method's update is clipped.
        """
        # The hook of the method must be registered first, because hooks run in the order of their registration.
        if self.max_norm is not None:
            self.optimizers[0].register_step_pre_hook(lambda *_: self.clip())

    def step(self) -> None:
        """Step every optimizer once. After a call of ``clip_in_step``, every step first clips the gradient."""
        for optimizer in self.optimizers:
            optimizer.step()

    def state_bytes(self) -> int:
        """Return the bytes of the states of this rank's optimizers, such as momentum."""
        states = (state for optimizer in self.optimizers for state in optimizer.state.values())
        return sum(value.nbytes for state in states for value in state.values() if isinstance(value, Tensor))

    def state_dict(self) -> dict[str, Any]:
        """Return the optimizer's state dict; if there are several optimizers, a list under the key ``optimizers``."""
        states = [optimizer.state_dict() for optimizer in self.optimizers]
        return states[0] if len(states) == 1 else {"optimizers": states}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the states that ``state_dict`` returned."""
        states = [state] if len(self.optimizers) == 1 else state["optimizers"]
        for optimizer, own in zip(self.optimizers, states, strict=True):
            optimizer.load_state_dict(own)


def _parameters(optimizer: Optimizer) -> Iterator[Parameter]:
    for group in optimizer.param_groups:
        yield from group["params"]
