"""Base classes of datasets and models, and ``Task``, which combines both. Extend these classes to add your own."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor
from torch.nn import Module, functional

# Turns stored inputs of shape [n, …] into the batch that the model takes. Augmentation must use no other random numbers
# than the generator's.
Transform = Callable[[Tensor, np.random.Generator], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Inputs and their labels, in memory.

    Attributes:
        inputs: The inputs as stored, of shape ``[n, *stored_shape]`` and any type, such as uint8 images or int64
            tokens. If they require gradients, the inputs of each batch require gradients, too. No gradient reaches the
            stored inputs.
        labels: The labels, of shape ``[n, …]``. Labels that are classes are int64, from 0 to ``num_classes − 1``.
        transform: Turns a batch of stored inputs into inputs of the model. None if the model takes them as stored.
    """

    inputs: Tensor
    labels: Tensor
    transform: Transform | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def tokens_per_example(self) -> int | None:
        """The number of tokens in each example of a language model; None for other examples.

        Examples count as those of a language model if ``inputs`` and ``labels`` are integers of the same shape
        ``[n, tokens]``.
        """
        inputs, labels = self.inputs, self.labels
        are_integers = not (inputs.dtype.is_floating_point or labels.dtype.is_floating_point)
        is_text = labels.dim() == 2 and inputs.shape == labels.shape and are_integers
        return int(labels.shape[1]) if is_text else None

    def batch(self, indices: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return a batch as the model takes it.

        Args:
            indices: The positions of the batch's examples, int64 of shape ``[b]``.
            random: The only source of random numbers for augmentation, so that a run can be repeated.

        Returns:
            Inputs of shape ``[b, *input_shape]``, and their labels of shape ``[b, …]``.
        """
        inputs = self.inputs.detach()[indices]
        inputs = inputs if self.transform is None else self.transform(inputs, random)
        if self.inputs.requires_grad:
            inputs.requires_grad_()
        return inputs, self.labels.detach()[indices]


class Dataset(ABC):
    """A dataset. A subclass is a dataclass, whose fields are the options that a scenario can set.

    Register the subclass in the entry-point group ``liecbench.tasks``. ``liecbench list datasets`` shows the first line
    of the subclass's docstring.
    """

    @property
    @abstractmethod
    def num_classes(self) -> int:
        """The number of classes. Labels are 0 to ``num_classes − 1``."""

    @abstractmethod
    def load(self) -> tuple[Examples, Examples]:
        """Load the training and the test examples. Every rank must load the same examples.

        Returns:
            The training examples, and the test examples.

        Raises:
            LiecbenchError: If a file is missing or damaged. The message says what to do.
        """


class Model(ABC):
    """An architecture. A subclass is a dataclass, whose fields are the options that a scenario can set.

    Register the subclass in the entry-point group ``liecbench.tasks``. ``liecbench list models`` shows the first line
    of the subclass's docstring.
    """

    @abstractmethod
    def build(self, input_shape: tuple[int, ...], num_classes: int) -> Module:
        """Build a network, initialised from torch's global random state.

        Args:
            input_shape: The shape of one input as ``Examples.batch`` returns it, without the batch dimension.
            num_classes: The dataset's number of classes.

        Returns:
            A new network in each call. It maps inputs ``[n, *input_shape]`` to logits ``[n, …, num_classes]``.

        Raises:
            LiecbenchError: If the architecture does not take inputs of this shape.
        """


def cross_entropy(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy over all labels, as a scalar.

    Args:
        outputs: Logits of shape ``[*labels.shape, num_classes]``.
        labels: Classes, int64. The shape is ``[n]`` for images, and ``[n, context]`` for texts, with one label per
            token.
    """
    return functional.cross_entropy(outputs.flatten(0, -2), labels.flatten())


def accuracy(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return the share of labels that equal the class with the largest logit, as a scalar in [0, 1]."""
    return (outputs.argmax(dim=-1) == labels).double().mean()


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A network with its data and its loss.

    A scenario can give a function as its model, written ``module:function``. The function returns a network or a Task.

    Attributes:
        model: The network. The scenario's function must make a new network each time it is called.
        train: The training examples, the same on every rank.
        test: The test examples, the same on every rank.
        loss: Maps outputs and labels to a scalar, the mean over the batch.
        accuracy: Maps outputs and labels to a scalar in [0, 1].
    """

    model: Module
    train: Examples
    test: Examples
    loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy
    accuracy: Callable[[Tensor, Tensor], Tensor] = accuracy
