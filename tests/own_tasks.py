"""Functions such as users write for their scenarios, some of them wrong."""

import dataclasses
import functools
import os
import random
import time
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge
from torch import Tensor, nn

from liecbench.tasks.base import Dataset, Examples, Task
from liecbench.tasks.digits import Digits
from liecbench.tasks.images import CropAndFlip, Normalise


def linear(input_shape: tuple[int, ...], num_classes: int, bias: bool = True) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(torch.Size(input_shape).numel(), num_classes, bias=bias))


def five_outputs(input_shape: tuple[int, ...]) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(torch.Size(input_shape).numel(), 5))


def normalised_over_the_batch(num_classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, num_classes), nn.BatchNorm1d(num_classes))


def no_model() -> str:
    return "mlp"


def raising(width: Annotated[int, Ge(1)]) -> nn.Module:
    raise RuntimeError(f"no layer is {width} wide")


def with_any_options(num_classes: int, **options: Any) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, num_classes, **options))


class Signs(Dataset):
    """Three numbers; the label is the sign of their sum."""

    def __init__(self, highest: int) -> None:
        self._highest = highest

    @property
    def num_classes(self) -> int:
        return 2

    def load(self) -> tuple[Examples, Examples]:
        inputs = torch.randn(600, 3, generator=torch.Generator().manual_seed(0))
        labels = (inputs.sum(dim=1) > 0).long() * self._highest
        return Examples(inputs=inputs[:500], labels=labels[:500]), Examples(inputs=inputs[500:], labels=labels[500:])


def signs(highest: int = 1) -> Dataset:
    return Signs(highest)


def squared_error(outputs: Tensor, labels: Tensor) -> Tensor:
    return (outputs[:, 0] - labels).square().mean()


def close(outputs: Tensor, labels: Tensor) -> Tensor:
    return ((outputs[:, 0] - labels).abs() < 0.5).double().mean()


def regression(samples: int = 400) -> Task:
    """A line through noise: a task with data, a loss and a notion of accuracy of its own."""
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(samples + 100, 4, generator=generator)
    labels = inputs @ torch.tensor([1.0, -2.0, 3.0, 0.5]) + 0.1 * torch.randn(samples + 100, generator=generator)
    return Task(
        model=nn.Linear(4, 1),
        train=Examples(inputs=inputs[:samples], labels=labels[:samples]),
        test=Examples(inputs=inputs[samples:], labels=labels[samples:]),
        loss=squared_error,
        accuracy=close,
    )


class AugmentedDigits(Digits):
    """Digits as bytes, cropped and flipped as colour images are."""

    def load(self) -> tuple[Examples, Examples]:
        train, test = (
            Examples(inputs=(16 * part.inputs).to(torch.uint8), labels=part.labels) for part in super().load()
        )
        plain = Normalise(mean=(0.02,), std=(0.02,))
        return (
            dataclasses.replace(train, transform=CropAndFlip(mean=(0.02,), std=(0.02,), padding=1)),
            dataclasses.replace(test, transform=plain),
        )


def augmented_digits() -> Dataset:
    return AugmentedDigits()


def normalised_convolution(num_classes: int) -> nn.Module:
    layers = [nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(512, num_classes))


class TwoOutputs(nn.Linear):
    def forward(self, inputs: Tensor) -> Any:
        return super().forward(inputs.flatten(1)), inputs


def two_outputs(num_classes: int) -> nn.Module:
    return TwoOutputs(64, num_classes)


def with_a_spare_layer(num_classes: int) -> nn.Module:
    model = TwoLayers(64, num_classes)
    model.spare = nn.Linear(3, 3)
    return model


class TwoLayers(nn.Linear):
    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs.flatten(1))


class LazyHead(TwoLayers):
    """Has a lazy layer that only training uses."""

    def __init__(self, num_classes: int) -> None:
        super().__init__(64, num_classes)
        self.head = nn.LazyLinear(num_classes)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = super().forward(inputs)
        return outputs + self.head(inputs.flatten(1)) if self.training else outputs


def with_a_lazy_head_in_training(num_classes: int) -> nn.Module:
    return LazyHead(num_classes)


class Embedded(nn.Module):
    """Digits by embeddings of their pixels' brightness, whose gradients are sparse."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.embedding, self.out = nn.Embedding(17, 2, sparse=True), nn.Linear(2 * 64, num_classes)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.out(self.embedding((16 * inputs.flatten(1)).long().clamp(0, 16)).flatten(1))
        return outputs


def embedded(num_classes: int) -> nn.Module:
    return Embedded(num_classes)


def in_double_precision(num_classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), AsDouble(), nn.Linear(64, num_classes).double())


class AsDouble(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.double()


@functools.cache
def cached() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def leaving() -> nn.Module:
    raise SystemExit(2)


class WithSlope(nn.Linear):
    """Cannot be evaluated where gradients are off."""

    def forward(self, inputs: Tensor) -> Tensor:
        inputs = inputs.flatten(1).requires_grad_()
        outputs = super().forward(inputs)
        (slope,) = torch.autograd.grad(outputs.sum(), inputs, create_graph=True)
        return outputs + slope.sum()


def with_slope(num_classes: int) -> nn.Module:
    return WithSlope(64, num_classes)


class Broken(Signs):
    """``Signs`` with a broken ``load``."""

    def __init__(self, how: str) -> None:
        super().__init__(1)
        self._how = how

    def load(self) -> tuple[Examples, Examples]:
        if self._how == "missing":
            raise KeyError("images")
        if self._how == "leaving":
            raise SystemExit(1)
        train, test = super().load()
        return dataclasses.replace(train, labels=train.labels.float()), test


def float_labels() -> Dataset:
    return Broken("floats")


def leaving_data() -> Dataset:
    return Broken("leaving")


def no_file() -> Dataset:
    return Broken("missing")


def squared_errors(outputs: Tensor, labels: Tensor) -> Tensor:
    return (outputs[:, 0] - labels).square()


def percent(outputs: Tensor, labels: Tensor) -> Tensor:
    return 100 * close(outputs, outputs[:, 0]) + 0 * labels.sum()


def a_loss_for_each() -> Task:
    return dataclasses.replace(regression(), loss=squared_errors)


def accuracy_in_percent() -> Task:
    return dataclasses.replace(regression(), accuracy=percent)


def no_samples() -> Task:
    return regression(0)


def drawn_from_everywhere() -> Task:
    """A task whose data come of three global random states."""
    noise = float(np.random.standard_normal()) + random.random() + float(torch.randn(()))
    task = regression()
    return dataclasses.replace(task, train=dataclasses.replace(task.train, labels=task.train.labels + noise))


def one_for_each_process() -> Task:
    """A task that differs from rank to rank."""
    task = regression()
    return dataclasses.replace(task, train=dataclasses.replace(task.train, labels=task.train.labels + os.getpid()))


class SlowTransform:
    """A transform that takes 50 ms per batch."""

    def __call__(self, inputs: Tensor, random: np.random.Generator) -> Tensor:
        time.sleep(0.05)
        return inputs


class SlowDigits(Digits):
    def load(self) -> tuple[Examples, Examples]:
        train, test = super().load()
        return dataclasses.replace(train, transform=SlowTransform()), test


def slow_digits() -> Dataset:
    return SlowDigits()
