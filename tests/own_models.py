"""Models and data as users write them: each has something that a benchmark could get wrong."""

import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from liecbench.tasks.base import Dataset, Examples


class Few(Dataset):
    """A hundred small images, in any type."""

    def __init__(self, dtype: torch.dtype = torch.float32, *, differentiable: bool = False) -> None:
        self._dtype, self._differentiable = dtype, differentiable

    @property
    def num_classes(self) -> int:
        return 10

    def load(self) -> tuple[Examples, Examples]:
        inputs = torch.randn(100, 1, 8, 8, generator=torch.Generator().manual_seed(5)).to(self._dtype)
        inputs.requires_grad_(self._differentiable)
        labels = torch.arange(100) % 10
        test = inputs.detach()[:32].requires_grad_(self._differentiable)
        return Examples(inputs=inputs, labels=labels), Examples(inputs=test, labels=labels[:32])


def few() -> Dataset:
    return Few()


def few_halves() -> Dataset:
    return Few(torch.bfloat16)


def few_differentiable() -> Dataset:
    return Few(differentiable=True)


def dropout() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 10))


def lazy() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(16), nn.LazyBatchNorm1d(), nn.Dropout(0.3), nn.LazyLinear(10))


def strided() -> nn.Module:
    layers = [nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(64, 10)]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


class Frozen(nn.Module):
    """A BatchNorm in eval mode from the start, and one that the model puts into eval mode after five passes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.out = nn.BatchNorm1d(64), nn.BatchNorm1d(64), nn.Linear(64, 10)
        self.first.eval().requires_grad_(False)
        self.passes = 0

    def forward(self, inputs: Tensor) -> Tensor:
        assert not self.first.training
        if self.training:
            self.passes += 1
            if self.passes == 5:
                self.second.eval()
        outputs: Tensor = self.out(self.second(self.first(inputs.flatten(1))))
        return outputs


class Initialised(nn.Module):
    """Initialised from the first batch; the flag is in no state dict."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.out = nn.Parameter(torch.ones(64)), nn.Linear(64, 10)
        self.state = {"ready": False}

    def forward(self, inputs: Tensor) -> Tensor:
        inputs = inputs.flatten(1)
        if not self.state["ready"]:
            self.scale.data = 1 / (inputs.std(0) + 1)
            self.state["ready"] = True
        assert not bool((self.scale == 1).all())
        outputs: Tensor = self.out(inputs * self.scale)
        return outputs


class Remembering(nn.Module):
    """Keeps statistics in a buffer that is not persistent, in one that does not exist at first, and in a list."""

    mean: Tensor
    last: Tensor | None

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(64, 10)
        self.register_buffer("mean", torch.zeros(64), persistent=False)
        self.register_buffer("last", None)
        self.seen: list[float] = []

    def forward(self, inputs: Tensor) -> Tensor:
        inputs = inputs.flatten(1)
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * inputs.detach().mean(0)
            self.last = inputs.detach().mean(0)
            self.seen.append(float(inputs.detach().mean()))
        outputs: Tensor = self.out(inputs - self.mean) * (1 + 0.01 * len(self.seen) + sum(self.seen))
        return outputs


class Extra(nn.Linear):
    """Has an extra state that is a dict, which scales its outputs."""

    passes = 0

    def get_extra_state(self) -> dict[str, Any]:
        return {"version": 2, "passes": self.passes, "names": ["a", "b"]}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.passes = state["passes"]

    def forward(self, inputs: Tensor) -> Tensor:
        self.passes += self.training
        return super().forward(inputs) / (1 + 0.01 * self.passes)


class Empty(nn.Module):
    """Has parameters of no elements."""

    def __init__(self) -> None:
        super().__init__()
        self.main, self.none = nn.Linear(64, 10), nn.Linear(64, 0)

    def forward(self, inputs: Tensor) -> Tensor:
        inputs = inputs.flatten(1)
        outputs: Tensor = self.main(inputs) + 0 * self.none(inputs).sum()
        return outputs


class Penalised(nn.Module):
    """Adds the gradient of its outputs with respect to its inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.out = nn.Linear(64, 8), nn.Linear(8, 10)

    def forward(self, inputs: Tensor) -> Tensor:
        with torch.enable_grad():
            inputs = inputs.clone().requires_grad_()
            hidden = self.inner(inputs.flatten(1)).tanh()
            (slope,) = torch.autograd.grad(hidden.sum(), inputs, create_graph=True)
        outputs: Tensor = self.out(hidden + slope.flatten(1)[:, :8])
        return outputs


class Sloped(Penalised):
    """Does so if the inputs require gradients, in training and in evaluation."""

    def forward(self, inputs: Tensor) -> Tensor:
        assert inputs.requires_grad
        hidden = self.inner(inputs.flatten(1)).tanh()
        (slope,) = torch.autograd.grad(hidden.sum(), inputs, create_graph=True)
        outputs: Tensor = self.out(hidden + slope.flatten(1)[:, :8])
        return outputs


class Noisy(nn.Module):
    """Draws from global generators and its own, and counts in an object that a hook captures."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(64, 10)
        counted = SimpleNamespace(calls=0)
        self.out.register_forward_hook(lambda out, *_: setattr(counted, "calls", counted.calls + out.training))
        self.counted, self.generator = counted, torch.Generator().manual_seed(3)
        self.pcg, self.twister = np.random.default_rng(4), np.random.RandomState(5)
        self.python = random.Random(6)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.out(inputs.flatten(1))
        if self.training:
            outputs = outputs * (random.random() + float(np.random.random()) + 0.1 * self.counted.calls)
            outputs = outputs + torch.randn(10, generator=self.generator)
            outputs = outputs + float(self.pcg.normal() + self.twister.normal()) * self.python.random()
        return outputs


def half() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).bfloat16()


class Following(nn.Module):
    """Keeps a moving average of its weights, which its forward pass updates, as momentum contrast does."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key = nn.Linear(64, 10), nn.Linear(64, 10)
        self.key.load_state_dict(self.query.state_dict())
        self.key.requires_grad_(False)

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training:
            with torch.no_grad():
                for key, query in zip(self.key.parameters(), self.query.parameters(), strict=True):
                    key.mul_(0.9).add_(query, alpha=0.1)
        outputs: Tensor = self.query(inputs.flatten(1)) + 0.1 * self.key(inputs.flatten(1))
        return outputs


# For each kind of model, how it is made and the dataset that it is trained on.
OWN_MODELS: Final[dict[str, tuple[Callable[[], nn.Module], Callable[[], Dataset]]]] = {
    "dropout": (dropout, few),
    "lazy": (lazy, few),
    "strided": (strided, few),
    "frozen": (Frozen, few),
    "initialised": (Initialised, few),
    "remembering": (Remembering, few),
    "extra": (lambda: nn.Sequential(nn.Flatten(), Extra(64, 10)), few),
    "empty": (Empty, few),
    "half": (half, few_halves),
    "penalised": (Penalised, few),
    "noisy": (Noisy, few),
    "following": (Following, few),
    "differentiable": (Sloped, few_differentiable),
}


def model(kind: str) -> nn.Module:
    """Return a new model of this kind, as a scenario's ``tests.own_models:model`` does."""
    return OWN_MODELS[kind][0]()


def dataset(kind: str) -> Dataset:
    """Return the dataset of this kind of model."""
    return OWN_MODELS[kind][1]()
