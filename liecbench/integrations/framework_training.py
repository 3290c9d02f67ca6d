"""The common part of the integrations with training frameworks, such as Lightning.

It attaches an algorithm, and returns the state that the framework's own checkpoints lack.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms.base import Algorithm
from liecbench.algorithms.preconditions import REFUSED_MODULES


def scaler_error(precision: str, instead: str) -> ValueError:
    """Return the error for a precision that needs a gradient scaler, such as ``mixed precision fp16``.

    The message advises ``instead``, another precision such as ``bf16``.
    """
    return ValueError(
        f"{precision} scales the gradients by a factor that changes, and with them the units of what compression "
        f"keeps; take {instead}"
    )


def refuse_clipping(algorithm: Algorithm, max_norm: float | None, remedy: str) -> None:
    """Raise ValueError if the updates of ``algorithm`` must not be clipped, although the framework is set to clip them.

    With a ``max_norm`` of None, 0 or infinity, nothing is clipped.
    The message advises ``remedy``, a setting of the framework such as ``max_grad_norm=0``.
    """
    if algorithm.clipping_refusal is not None and max_norm and max_norm != math.inf:
        name = type(algorithm).__name__
        raise ValueError(f"{name} is not defined with clipped updates: {algorithm.clipping_refusal}; set {remedy}")


class FrameworkTraining:
    """A framework's training, to which the constructor attaches an algorithm. The constructor is collective.

    A framework's own checkpoint holds the model and the optimizers of rank 0. ``state_dict`` returns what is missing:
    the algorithm's memories and, if the ranks have local models, this rank's model and optimizers.

    Args:
        algorithm: The algorithm.
        model: The DistributedDataParallel module, perhaps compiled.
        optimizers: The optimizers of the model's parameters; the framework may have wrapped them.
        launch: The call or command that starts one process per worker, such as
            ``Trainer(strategy="ddp", devices=2)``. The RuntimeError's message advises this call or command.

    Raises:
        RuntimeError: If the training runs in one process.
        TypeError, ValueError: If ``attach`` raises them.
    """

    def __init__(self, algorithm: Algorithm, model: nn.Module, optimizers: Sequence[Any], launch: str) -> None:
        ddp = getattr(model, "_orig_mod", model)
        names = {cls.__name__ for cls in type(ddp).__mro__}
        if not isinstance(ddp, DistributedDataParallel) and names.isdisjoint(REFUSED_MODULES):
            raise RuntimeError(
                f"the {type(ddp).__name__} is not wrapped in DistributedDataParallel, because the framework trains it "
                f"in one process, which exchanges nothing that {type(algorithm).__name__} could compress; "
                f"start one process per worker: {launch}"
            )
        algorithm.attach(model, list(optimizers))
        self.algorithm = algorithm
        module = ddp.module
        assert isinstance(module, nn.Module), "attach has accepted the model"
        self._module = module
        self._optimizers = list(optimizers)
        self._mean = ExitStack()
        self._holds_mean = False

    def hold_mean(self) -> None:
        """Replace each worker's local model by the workers' mean model until ``hold_local`` is called.

        Collective. Do nothing if the method keeps no local models or is detached, or if models are already replaced.
        """
        if self.algorithm.local_models and self.algorithm.is_attached and not self._holds_mean:
            self._mean.enter_context(self.algorithm.evaluation())
            self._holds_mean = True

    def hold_local(self) -> None:
        """Restore the local models that ``hold_mean`` has replaced by their mean."""
        self._holds_mean = False
        self._mean.close()

    @contextmanager
    def mean(self) -> Iterator[None]:
        """Replace local models by their mean while the ``with`` body runs. Collective."""
        held = self._holds_mean
        self.hold_mean()
        yield
        if not held:
            self.hold_local()

    def detach(self) -> None:
        """Restore plain DDP; local models are replaced by their mean. Collective."""
        self.hold_local()
        self.algorithm.detach()

    def abandon(self) -> None:
        """Close the algorithm after a training that failed, without changing the model."""
        with self.unchanged_parameters():
            self.hold_local()
        self.algorithm.close()

    @contextmanager
    def unchanged_parameters(self) -> Iterator[None]:
        """Restore the values of all parameters after the ``with`` body."""
        values = [parameter.detach().clone() for parameter in self.parameters()]
        yield
        with torch.no_grad():
            for parameter, value in zip(self.parameters(), values, strict=True):
                parameter.copy_(value)

    def parameters(self) -> list[nn.Parameter]:
        """Return the model's parameters."""
        return list(self._module.parameters())

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        yield from self._module.named_parameters()
        yield from self._module.named_buffers()

    @torch.no_grad()
    def state_dict(self) -> dict[str, dict[str, Any]]:
        """Return this rank's state, for ``load_state_dict``.

        The state of rank 0 of 4, for example, has two keys:

        - ``algorithm``: ``{"rank_0_of_4": …}`` with the algorithm's state.
        - ``local``: ``{"rank_0_of_4": …}`` with the local model and the states of its optimizers. The dict is empty if
          the algorithm keeps no local models.

        Because the inner key names the rank, the states of all ranks can be merged.

        Between ``hold_mean`` and ``hold_local``, all ranks must call ``state_dict`` together. Otherwise, one rank can
        call it alone.
        """
        held_mean = self._holds_mean
        self.hold_local()
        state: dict[str, dict[str, Any]] = {"algorithm": self.algorithm.state_dict(), "local": {}}
        if self.algorithm.local_models:
            (key,) = state["algorithm"]
            tensors = {name: tensor.clone() for name, tensor in self._tensors()}
            optimizers = [optimizer.state_dict() for optimizer in self._optimizers]
            state["local"][key] = {"model": tensors, "optimizers": optimizers}
        if held_mean:
            self.hold_mean()
        return state

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        """Restore this rank's state from ``state``, which ``state_dict`` returned.

        ``state`` may be merged with the results of ``state_dict`` on other ranks.

        Raises:
            ValueError: If ``state`` lacks this rank's state, or was saved with another number of ranks, another process
                group, another method or another model.
        """
        self.algorithm.load_state_dict(state["algorithm"])
        if self.algorithm.local_models:
            (key,) = self.algorithm.state_dict()
            local = state["local"][key]
            for name, tensor in self._tensors():
                tensor.copy_(local["model"][name])
            for optimizer, saved in zip(self._optimizers, local["optimizers"], strict=True):
                optimizer.load_state_dict(saved)
