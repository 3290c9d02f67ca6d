"""Base classes of datasets and models, and tasks that bring both. Extend these classes to add your own."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor
from torch.nn import Module, functional

# Turns stored inputs of shape [n, …] into the batch that the model takes; augmentation draws from the generator only.
Transform = Callable[[Tensor, np.random.Generator], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Inputs and their labels, in memory.

    Attributes:
        inputs: The inputs as stored, of shape ``[n, *stored_shape]``: uint8 images, int64 tokens or float32 arrays.
        labels: The labels, of shape ``[n, …]``; labels that are classes are int64, from 0 to ``num_classes − 1``.
        transform: Turns a batch of stored inputs into inputs of the model; None if the model takes them as stored.
    """

    inputs: Tensor
    labels: Tensor
    transform: Transform | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return a batch as the model takes it.

        Args:
            indices: The positions of the batch's examples, int64 of shape ``[b]``.
            random: The only generator that augmentation draws from, so that a run can be repeated.

        Returns:
            Inputs of shape ``[b, *input_shape]``, and their labels of shape ``[b, …]``.
        """
        inputs = self.inputs[indices]
        return (inputs if self.transform is None else self.transform(inputs, random)), self.labels[indices]


class Dataset(ABC):
    """A dataset; a subclass is a dataclass, whose fields are the options that a scenario can set.

    Register the subclass in the entry-point group ``liecbench.tasks``. ``liecbench list datasets`` shows the first line
    of its docstring.
    """

    @property
    @abstractmethod
    def num_classes(self) -> int:
        """The number of different labels: they are 0 to ``num_classes − 1``."""

    @abstractmethod
    def load(self) -> tuple[Examples, Examples]:
        """Load the training and the test examples; every rank must load the same examples.

        Returns:
            The examples to train on, and those to test on.

        Raises:
            LiecbenchError: A file is missing or damaged; its message says what to do.
        """


class Model(ABC):
    """An architecture; a subclass is a dataclass, whose fields are the options that a scenario can set.

    Register the subclass in the entry-point group ``liecbench.tasks``. ``liecbench list models`` shows the first line
    of its docstring.
    """

    @abstractmethod
    def build(self, input_shape: tuple[int, ...], num_classes: int) -> Module:
        """Build a network, initialised from torch's global random state.

        Args:
            input_shape: The shape of one example as ``Examples.batch`` returns it, without the batch's dimension.
            num_classes: The dataset's number of classes.

        Returns:
            A new network in each call; it maps inputs ``[n, *input_shape]`` to logits ``[n, …, num_classes]``.

        Raises:
            LiecbenchError: The architecture does not take inputs of this shape.
        """


def cross_entropy(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy over all labels.

    Args:
        outputs: Logits of shape ``[*labels.shape, num_classes]``.
        labels: Classes, int64: of shape ``[n]`` for images, ``[n, context]`` for texts, with one label per token.
    """
    return functional.cross_entropy(outputs.flatten(0, -2), labels.flatten())


def accuracy(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return the share of labels whose logit is the largest, in [0, 1]."""
    return (outputs.argmax(dim=-1) == labels).double().mean()


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A network with its data and its loss; a user's ``module:function`` given as the model may return one.

    Attributes:
        model: The network; the function must make a new one in each call.
        train: The examples to train on, the same on every rank.
        test: The examples to test on, the same on every rank.
        loss: Maps outputs and labels to a scalar, the mean over the batch.
        accuracy: Maps outputs and labels to a scalar in [0, 1].
    """

    model: Module
    train: Examples
    test: Examples
    loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy
    accuracy: Callable[[Tensor, Tensor], Tensor] = accuracy
