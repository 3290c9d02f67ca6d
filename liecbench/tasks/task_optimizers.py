"""The optimizers of tasks: torch's own, with their options as a scenario gives them."""

from abc import ABC, abstractmethod
from typing import Annotated, Any, Final, Literal

import torch
from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import nn
from torch.nn import Parameter
from torch.optim import Optimizer

Fraction = Annotated[float, Ge(0), Lt(1)]
NonNegative = Annotated[float, Ge(0)]
Betas = Annotated[list[Fraction], MinLen(2), MaxLen(2)]
_CLASSES: Final[dict[str, type[Any]]] = {
    "sgd": torch.optim.SGD,
    "adamw": torch.optim.AdamW,
    "muon": torch.optim.Muon,
}


def _betas() -> list[float]:
    return [0.9, 0.999]


class TaskOptimizer(ABC):
    """The optimizer of a task. A subclass is a dataclass, whose fields are the options that a scenario can set."""

    @abstractmethod
    def torch_options(self) -> dict[str, dict[str, object]]:
        """Return the options of each torch optimizer that is needed, such as ``{"sgd": {"momentum": 0.9}}``.

        A key is the lower-case name of a class in ``torch.optim``.
        """

    @property
    @abstractmethod
    def num_states(self) -> int:
        """The largest number of values, such as moments, that the optimizer keeps for an element of any parameter."""

    def problem(self) -> str | None:
        """Return an error message with a remedy if the options contradict each other, else None."""
        return None

    def shares(self, model: nn.Module) -> dict[str, list[Parameter]]:
        """Return the parameters that each torch optimizer trains, by the optimizer's name, such as ``adamw``.

        The names are the keys of ``torch_options``. A subclass with several torch optimizers overrides this method.
        """
        (name,) = self.torch_options()
        return {name: list(model.parameters())}

    def learning_rate_factor(self, name: str) -> float:
        """Return the learning rate of one torch optimizer ÷ the task's learning rate.

        Args:
            name: The optimizer's key in ``torch_options``, such as ``adamw``.
        """
        return 1.0

    def build(self, model: nn.Module, learning_rate: float) -> list[Optimizer]:
        """Return the torch optimizers of the model's parameters, in the order in which to call their ``step``."""
        options = self.torch_options()
        return [
            _CLASSES[name](parameters, lr=learning_rate * self.learning_rate_factor(name), **options[name])
            for name, parameters in self.shares(model).items()
            if parameters
        ]


@dataclass(frozen=True)
class SGD(TaskOptimizer):
    """Stochastic gradient descent (torch.optim.SGD), without momentum, or with plain or Nesterov momentum.

    Attributes:
        momentum: The factor of the velocity; 0 for none.
        dampening: The share of the gradient that is not added to the velocity.
        weight_decay: The L2 penalty's factor.
        nesterov: Whether the momentum is Nesterov's.
    """

    momentum: Fraction = 0.0
    dampening: Annotated[float, Ge(0), Le(1)] = 0.0
    weight_decay: NonNegative = 0.0
    nesterov: bool = False

    def torch_options(self) -> dict[str, dict[str, object]]:
        """Return ``{"sgd": options}``; the options are arguments of ``torch.optim.SGD``, such as ``momentum``."""
        names = ("momentum", "dampening", "weight_decay", "nesterov")
        return {"sgd": {name: getattr(self, name) for name in names}}

    @property
    def num_states(self) -> int:
        """The number of values per element of a parameter: 1 (the velocity) if ``momentum`` is above 0, else 0."""
        return int(self.momentum > 0)

    def problem(self) -> str | None:
        """Return an error message if ``nesterov`` is set without a momentum, or with a dampening; else None."""
        if self.nesterov and not self.momentum:
            return "nesterov needs a momentum; add momentum: 0.9, or remove nesterov"
        if self.nesterov and self.dampening:
            return f"nesterov takes no dampening, and it is {self.dampening:g}; remove one of the two"
        return None


@dataclass(frozen=True)
class AdamW(TaskOptimizer):
    """Adam with decoupled weight decay (torch.optim.AdamW; Loshchilov and Hutter 2019).

    Attributes:
        betas: The decays of the first and of the second moment.
        eps: The constant that is added to the root of the second moment.
        weight_decay: The decoupled weight decay, as a factor of the learning rate.
        amsgrad: Whether the largest second moment so far is used.
    """

    betas: Betas = Field(default_factory=_betas)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.01
    amsgrad: bool = False

    def torch_options(self) -> dict[str, dict[str, object]]:
        """Return the options of torch's AdamW, as the value of the key ``adamw``."""
        decay = {"weight_decay": self.weight_decay, "amsgrad": self.amsgrad}
        return {"adamw": {"betas": tuple(self.betas), "eps": self.eps, **decay}}

    @property
    def num_states(self) -> int:
        """The number of values per element of a parameter: 2 (first and second moment), or 3 if ``amsgrad`` is set."""
        return 3 if self.amsgrad else 2


@dataclass(frozen=True)
class Muon(TaskOptimizer):
    """Muon (torch.optim.Muon; Jordan 2024) for the matrices of hidden layers, AdamW for all other parameters.

    A matrix of a hidden layer is the weight of an ``nn.Linear``, except in the output layer, which is the last module
    with parameters. AdamW trains embeddings, convolutions, norms and biases.

    Attributes:
        momentum: The factor of Muon's velocity.
        nesterov: Whether Muon's momentum is Nesterov's.
        weight_decay: The decoupled weight decay of both optimizers, as a factor of the learning rate.
        ns_steps: The number of Muon's Newton–Schulz iterations.
        eps: The constant that keeps Muon's division by a norm finite.
        adjust_lr_fn: How Muon scales the learning rate with a matrix's shape. The default, which is not torch's, is
            chosen so that one learning rate suits both optimizers.
        betas: The decays of AdamW's first and second moment.
        adamw_factor: AdamW's learning rate as a multiple of the task's.
    """

    momentum: Fraction = 0.95
    nesterov: bool = True
    weight_decay: NonNegative = 0.1
    ns_steps: Annotated[int, Ge(1), Lt(100)] = 5
    eps: NonNegative = 1e-7
    adjust_lr_fn: Literal["original", "match_rms_adamw"] = "match_rms_adamw"
    betas: Betas = Field(default_factory=_betas)
    adamw_factor: Annotated[float, Gt(0)] = 1.0

    def torch_options(self) -> dict[str, dict[str, object]]:
        """Return the options of torch's optimizers Muon and AdamW, under the keys ``muon`` and ``adamw``."""
        names = ("momentum", "nesterov", "weight_decay", "ns_steps", "eps", "adjust_lr_fn")
        muon = {name: getattr(self, name) for name in names}
        return {"muon": muon, "adamw": {"betas": tuple(self.betas), "weight_decay": self.weight_decay}}

    @property
    def num_states(self) -> int:
        """The largest number of values that are kept per element of a parameter: 2.

        AdamW keeps a first and a second moment. Muon keeps only a momentum.
        """
        return 2

    def shares(self, model: nn.Module) -> dict[str, list[Parameter]]:
        """Return the parameters by optimizer: ``"muon"`` has the matrices of hidden layers, ``"adamw"`` all others."""
        hidden = hidden_matrices(model)
        own = set(hidden)
        return {"muon": hidden, "adamw": [parameter for parameter in model.parameters() if parameter not in own]}

    def learning_rate_factor(self, name: str) -> float:
        """Return the learning rate of torch's optimizer ``name``, as a multiple of the task's learning rate.

        The result is ``adamw_factor`` for ``adamw``, and 1 for ``muon``.
        """
        return self.adamw_factor if name == "adamw" else 1.0


def hidden_matrices(model: nn.Module) -> list[Parameter]:
    """Return the weights of the model's hidden linear layers, each weight once.

    If the last module with parameters is linear, it is the output layer, and its weight is left out. A weight that a
    linear layer shares with an embedding is left out, too.
    """
    owners = [module for module in model.modules() if any(True for _ in module.parameters(recurse=False))]
    embedded: set[object] = {module.weight for module in owners if isinstance(module, nn.Embedding | nn.EmbeddingBag)}
    linear: list[nn.Linear] = [module for module in owners[:-1] if isinstance(module, nn.Linear)]
    output = owners[-1].weight if owners and isinstance(owners[-1], nn.Linear) else None
    weights = dict.fromkeys(module.weight for module in linear)
    hidden = [weight for weight in weights if weight not in embedded and weight is not output]
    return [weight for weight in hidden if isinstance(weight, Parameter)]
