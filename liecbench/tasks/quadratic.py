"""The problem Quadratic: a parabola with given curvatures and noise."""

import functools
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt
from pydantic.dataclasses import dataclass
from torch import Generator, Tensor

from liecbench.tasks.problem import Problem


@dataclass(frozen=True)
class Quadratic(Problem):
    """f(x) = Σ λ_j x_j² / 2 with eigenvalues λ_j. A stochastic gradient is ∇f(x) plus noise.

    Attributes:
        dimension: The number of elements of x.
        smallest: The smallest eigenvalue.
        largest: The largest eigenvalue, which is the smoothness L.
        spectrum: Whether the eigenvalues grow by equal differences (linear) or by equal factors (geometric).
        noise: The standard deviation σ of the whole noise vector. Each element has the variance σ² / ``dimension``.
        distribution: The distribution of the noise: gaussian, or exponential, shifted to the mean 0. Exponential noise
            is skewed, as the noise of minibatches often is: the median is not 0.
    """

    dimension: Annotated[int, Ge(2)] = 256
    smallest: Annotated[float, Gt(0)] = 0.05
    largest: Annotated[float, Gt(0)] = 1.0
    spectrum: Literal["linear", "geometric"] = "linear"
    noise: Annotated[float, Gt(0)] = 1.0
    distribution: Literal["gaussian", "exponential"] = "gaussian"

    def __post_init__(self) -> None:
        if self.smallest > self.largest:
            raise ValueError(f"smallest {self.smallest:g} exceeds largest {self.largest:g}; exchange them")

    @property
    def num_dimensions(self) -> int:
        """The number of elements of a model, which is the option ``dimension``."""
        return self.dimension

    @property
    def smoothness(self) -> float:
        """The smoothness L, which is the largest eigenvalue λ."""
        return self.largest

    @property
    def noise_variance(self) -> float:
        """The square of the option ``noise``."""
        return self.noise**2

    def minimum(self) -> Tensor:
        """Return the model x at which f(x) is smallest: a vector of zeros."""
        return torch.zeros(self.dimension)

    def gradient(self, model: Tensor) -> Tensor:
        """Return the gradient of f at x = ``model``. Element j of the gradient is λ_j x_j."""
        return self._eigenvalues * model

    def stochastic_gradients(self, models: Tensor, random: Generator) -> Tensor:
        """Return one stochastic gradient for each row x of ``models``, in the shape of ``models``.

        Element j of a gradient is λ_j x_j + noise, where λ_j is the j-th eigenvalue. The noise of each element of each
        gradient is independent.
        """
        noise = torch.empty(models.shape)
        if self.distribution == "gaussian":
            noise.normal_(generator=random)
        else:
            noise.exponential_(generator=random).sub_(1)
        return torch.addcmul(noise.mul_(self.noise / self.dimension**0.5), self._eigenvalues, models)

    @functools.cached_property
    def _eigenvalues(self) -> Tensor:
        if self.spectrum == "linear":
            return torch.linspace(self.smallest, self.largest, self.dimension)
        return (
            torch.tensor(self.smallest)
            .log()
            .lerp(torch.tensor(self.largest).log(), torch.linspace(0, 1, self.dimension))
            .exp()
        )
