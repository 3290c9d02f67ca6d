"""The problem Logistic: multinomial logistic regression of the digits, with an L2 penalty."""

import functools
from typing import Annotated, Final

import torch
from annotated_types import Ge, Gt
from pydantic.dataclasses import dataclass
from torch import Generator, Tensor
from torch.nn import functional

from liecbench.tasks.digits import Digits
from liecbench.tasks.problem import Problem

_NUM_ITERATIONS: Final = 500


@dataclass(frozen=True)
class Logistic(Problem):
    """f(W) = the mean cross-entropy of 1437 digits, plus λ‖W‖²/2; stochastic gradients are those of minibatches.

    W has a row for each of the 64 pixels and one for the bias, and a column for each of the 10 digits.

    Attributes:
        penalty: The factor λ of the penalty.
        batch_size: The number of images in a minibatch, drawn with replacement.
    """

    penalty: Annotated[float, Gt(0)] = 0.01
    batch_size: Annotated[int, Ge(1)] = 8

    @property
    def num_dimensions(self) -> int:
        """The number of elements of W: 650."""
        return self._inputs.shape[1] * self._targets.shape[1]

    @property
    def smoothness(self) -> float:
        """An upper bound of the smoothness L: ``penalty`` plus half the largest eigenvalue of XᵀX/n (Böhning 1992).

        Each of the n rows of X holds the pixels of one image, and a 1 for the bias.
        """
        inputs = self._inputs.double()
        return self.penalty + float(torch.linalg.eigvalsh(inputs.T @ inputs / len(inputs))[-1]) / 2

    @property
    def noise_variance(self) -> float:
        """The variance σ² of a minibatch's gradient at the minimum.

        σ² is the variance of a single image's gradient, divided by the number of images in a minibatch.
        """
        weights = self._as_matrix(self.minimum())
        errors = (self._inputs @ weights).softmax(dim=1) - self._targets
        mean = self._inputs.T @ errors / len(errors)
        squares = self._inputs.square().sum(dim=1) * errors.square().sum(dim=1)
        return float(squares.mean() - mean.square().sum()) / self.batch_size

    def minimum(self) -> Tensor:
        """Return the model that minimises the loss over all images, including the L2 penalty.

        The model is a float32 vector of shape ``[num_dimensions]``. L-BFGS computes the model in float64.
        """
        return self._minimum.clone()

    def gradient(self, model: Tensor) -> Tensor:
        """Return the gradient, at ``model``, of the loss over all images, including the L2 penalty.

        The gradient and ``model`` are vectors of shape ``[num_dimensions]``.
        """
        weights = self._as_matrix(model)
        errors = (self._inputs @ weights).softmax(dim=1) - self._targets
        return (self._inputs.T @ errors / len(errors) + self.penalty * weights).view(-1)

    def stochastic_gradients(self, models: Tensor, random: Generator) -> Tensor:
        """Return, for each model, the gradient over a separate minibatch."""
        chosen = torch.randint(len(self._inputs), (len(models), self.batch_size), generator=random)
        inputs, targets = self._inputs[chosen], self._targets[chosen]
        weights = models.view(len(models), self._inputs.shape[1], -1)
        errors = (inputs @ weights).softmax(dim=2) - targets
        return (inputs.transpose(1, 2) @ errors / self.batch_size + self.penalty * weights).view(len(models), -1)

    def _as_matrix(self, model: Tensor) -> Tensor:
        return model.view(self._inputs.shape[1], -1)

    @functools.cached_property
    def _examples(self) -> tuple[Tensor, Tensor]:
        digits = Digits()
        train, _ = digits.load()
        pixels = train.inputs.flatten(1)
        inputs = torch.cat([pixels, torch.ones(len(pixels), 1)], dim=1)
        return inputs, functional.one_hot(train.labels, digits.num_classes).float()

    @property
    def _inputs(self) -> Tensor:
        return self._examples[0]

    @property
    def _targets(self) -> Tensor:
        return self._examples[1]

    @functools.cached_property
    def _minimum(self) -> Tensor:
        inputs, targets = self._inputs.double(), self._targets.double()
        weights = torch.zeros(inputs.shape[1], targets.shape[1], dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS(
            [weights], max_iter=_NUM_ITERATIONS, tolerance_grad=1e-9, tolerance_change=0, line_search_fn="strong_wolfe"
        )

        def loss() -> Tensor:
            optimizer.zero_grad()
            value = functional.cross_entropy(inputs @ weights, targets) + self.penalty / 2 * weights.square().sum()
            value.backward()
            return value

        optimizer.step(loss)
        return weights.detach().float().view(-1)
