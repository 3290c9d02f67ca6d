"""The dataset Synthetic: arrays of any shape, drawn from a mixture of Gaussians with a known best accuracy."""

import functools
import math
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge, Gt, Lt, MinLen
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from liecbench.tasks.base import Dataset, Examples

_FEWEST_DIMENSIONS = 64
_GRID = 2**12
_CHUNK = 1024


@dataclass(frozen=True)
class Synthetic(Dataset):
    """Smooth random images of any shape, drawn so that the best possible classifier has the accuracy best_accuracy.

    An image is a sum of low-frequency cosines. For class c, the cosines' coefficients are drawn from N(s·m_c, I), with
    orthonormal vectors m_c and a number s. The best classifier picks the class with the nearest mean. It is right with
    probability E[Φ(z + s)^(classes − 1)], z ~ N(0, 1), and s is chosen so that this probability is ``best_accuracy``.

    Attributes:
        shape: The shape of an image, such as channels, height and width.
        classes: The number of classes.
        train_samples: The number of training images.
        test_samples: The number of test images.
        best_accuracy: The accuracy, from 0 to 1, of the best possible classifier on infinitely many images. On
            ``test_samples`` images, a classifier can be a little better.
        seed: The seed from which the images are drawn.
    """

    shape: Annotated[list[Annotated[int, Ge(1)]], MinLen(1)] = Field(default_factory=lambda: [3, 32, 32])
    classes: Annotated[int, Ge(2)] = 10
    train_samples: Annotated[int, Ge(1)] = 8192
    test_samples: Annotated[int, Ge(1)] = 2048
    best_accuracy: Annotated[float, Gt(0), Lt(1)] = 0.95
    seed: Annotated[int, Ge(0)] = 0

    def __post_init__(self) -> None:
        if math.prod(self.shape) <= self.classes:
            raise ValueError(f"shape {self.shape} has room for fewer than {self.classes} classes; enlarge it")
        if self.best_accuracy <= 1 / self.classes:
            raise ValueError(f"best_accuracy {self.best_accuracy} is what guessing reaches; raise it")

    @property
    def num_classes(self) -> int:
        """The number of classes, which is the option ``classes``."""
        return self.classes

    def load(self) -> tuple[Examples, Examples]:
        """Return (training examples, test examples), which are the same on every machine.

        The inputs are float32 of shape ``[n, *shape]``. The labels are int64 classes of shape ``[n]``.
        """
        random = np.random.default_rng(self.seed)
        numel = math.prod(self.shape)
        num_dimensions = min(numel - 1, max(_FEWEST_DIMENSIONS, 2 * self.classes))
        rotation, _ = np.linalg.qr(random.standard_normal((num_dimensions, self.classes)))
        means = separation(self.classes, self.best_accuracy) * rotation.T
        basis = _cosines(self.shape, num_dimensions)
        return (
            self._draw(random, means, basis, self.train_samples),
            self._draw(random, means, basis, self.test_samples),
        )

    def _draw(
        self, random: np.random.Generator, means: NDArray[np.float64], basis: NDArray[np.float64], num_samples: int
    ) -> Examples:
        labels = random.integers(self.classes, size=num_samples)
        points = means[labels] + random.standard_normal((num_samples, means.shape[1]))
        # Round to a grid, on which sums are exact in any order of addition, so that all machines draw the same
        # examples.
        points, basis = np.round(points * _GRID), np.round(basis * _GRID)
        scale = math.sqrt(basis.shape[1] / basis.shape[0]) / _GRID**2
        images = np.empty((num_samples, basis.shape[1]), dtype=np.float32)
        for first in range(0, num_samples, _CHUNK):  # all in float64 at once would take twice the result's memory
            images[first : first + _CHUNK] = points[first : first + _CHUNK] @ basis * scale
        return Examples(inputs=torch.from_numpy(images).view(-1, *self.shape), labels=torch.from_numpy(labels))


def separation(num_classes: int, best_accuracy: float) -> float:
    """Return the norm of the class means at which the best possible classifier's accuracy is ``best_accuracy``."""
    low, high = 0.0, 1.0
    while accuracy_at(high, num_classes) < best_accuracy:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if accuracy_at(middle, num_classes) < best_accuracy else (low, middle)
    return high


def accuracy_at(length: float, num_classes: int) -> float:
    """Return the best possible classifier's accuracy, from 0 to 1, on equally frequent Gaussian classes.

    Each class has identity covariance. The class means are orthogonal, and each has the norm ``length``. The accuracy
    is E[Φ(z + length)^(num_classes − 1)] for z ~ N(0, 1), computed by Gauss-Hermite quadrature.
    """
    nodes, weights = _quadrature()
    below = torch.special.ndtr(torch.from_numpy(nodes + length)).numpy()
    return float(weights @ below ** (num_classes - 1)) / math.sqrt(2 * math.pi)


@functools.cache
def _quadrature() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return 100 nodes and weights of Gauss-Hermite quadrature, cached because computing them takes milliseconds."""
    return np.polynomial.hermite_e.hermegauss(100)


def _cosines(shape: list[int], num_dimensions: int) -> NDArray[np.float64]:
    """Return the ``num_dimensions`` orthonormal cosines (DCT-II) of lowest frequency, one flattened cosine per row.

    ``shape`` is the shape of a cosine. The constant cosine is left out.
    """
    frequencies = np.indices(shape).reshape(len(shape), -1)
    chosen = frequencies[:, np.argsort(frequencies.sum(axis=0), kind="stable")[1 : num_dimensions + 1]]
    basis = np.ones((num_dimensions, 1))
    for size, frequency in zip(shape, chosen, strict=True):
        angles = np.outer(frequency, np.pi * (np.arange(size) + 0.5) / size)
        wave = np.cos(angles) * np.sqrt(np.where(frequency == 0, 1, 2) / size)[:, None]
        basis = (basis[:, :, None] * wave[:, None, :]).reshape(num_dimensions, -1)
    return basis
