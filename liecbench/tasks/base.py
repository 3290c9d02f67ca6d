"""What a dataset and a model are to a worker."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn import Module


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Inputs of shape ``[n, *input_shape]``, float32, and int64 labels of shape ``[n]``."""

    inputs: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


class Dataset(ABC):
    """Examples to train on and examples held out."""

    num_train_samples: ClassVar[int]
    num_test_samples: ClassVar[int]
    num_classes: ClassVar[int]
    input_shape: ClassVar[tuple[int, ...]]

    @abstractmethod
    def load(self) -> tuple[Examples, Examples]:
        """The training and the test examples."""


class Model(ABC):
    """A network's architecture."""

    @abstractmethod
    def build(self, input_shape: tuple[int, ...], num_classes: int) -> Module:
        """A freshly initialised network from inputs to logits, by torch's global random state."""
