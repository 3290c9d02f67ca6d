"""What a dataset, a model and a whole task are to a worker."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor
from torch.nn import Module, functional

# A batch as stored, and where random numbers come from → the batch as the model takes it.
Transform = Callable[[Tensor, np.random.Generator], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Inputs of shape ``[n, *input_shape]`` as they are stored, labels of shape ``[n, …]``, and what makes a batch."""

    inputs: Tensor
    labels: Tensor
    transform: Transform | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """The inputs and labels of these examples; what augmentation draws, it draws from ``random``."""
        inputs = self.inputs[indices]
        return (inputs if self.transform is None else self.transform(inputs, random)), self.labels[indices]


class Dataset(ABC):
    """Examples to train on and examples held out; ``load`` gives every rank the same."""

    @property
    @abstractmethod
    def num_classes(self) -> int:
        """How many different labels there can be."""

    @abstractmethod
    def load(self) -> tuple[Examples, Examples]:
        """The training and the test examples; LiecbenchError where a file is missing or not what it should be."""


class Model(ABC):
    """A network's architecture."""

    @abstractmethod
    def build(self, input_shape: tuple[int, ...], num_classes: int) -> Module:
        """A freshly initialised network from inputs to logits ``[n, …, num_classes]``, by torch's global random state.

        ``input_shape`` is that of one example as the network takes it.
        """


def cross_entropy(outputs: Tensor, labels: Tensor) -> Tensor:
    """The mean over all labels, of ``outputs`` with one dimension more: an image has one label, a text many."""
    return functional.cross_entropy(outputs.flatten(0, -2), labels.flatten())


def accuracy(outputs: Tensor, labels: Tensor) -> Tensor:
    """The share of labels whose logit is the largest."""
    return (outputs.argmax(dim=-1) == labels).double().mean()


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A network with data and a loss of its own, as a ``module:function`` of yours may return it.

    ``loss(outputs, labels)`` is a scalar, the mean over the batch; ``accuracy(outputs, labels)`` a scalar in [0, 1].
    Every rank must get the same ``train`` and ``test``.
    """

    model: Module
    train: Examples
    test: Examples
    loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy
    accuracy: Callable[[Tensor, Tensor], Tensor] = accuracy
