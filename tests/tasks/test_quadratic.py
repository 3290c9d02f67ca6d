import math
from typing import Literal

import pytest
import torch

from liecbench.tasks.quadratic import Quadratic


@pytest.mark.parametrize(("spectrum", "eigenvalues"), [("linear", [0.25, 0.625, 1.0]), ("geometric", [0.25, 0.5, 1.0])])
def test_the_gradient_has_the_eigenvalues(spectrum: Literal["linear", "geometric"], eigenvalues: list[float]) -> None:
    problem = Quadratic(dimension=3, smallest=0.25, largest=1.0, spectrum=spectrum)

    torch.testing.assert_close(
        problem.gradient(torch.tensor([2.0, -2.0, 4.0])), torch.tensor([2.0, -2.0, 4.0]) * torch.tensor(eigenvalues)
    )
    assert problem.smoothness == 1.0


@pytest.mark.parametrize("distribution", ["gaussian", "exponential"])
def test_stochastic_gradients_have_mean_and_variance(distribution: Literal["gaussian", "exponential"]) -> None:
    problem = Quadratic(dimension=16, noise=3.0, distribution=distribution)
    model = torch.arange(16.0)
    drawn = problem.stochastic_gradients(model.repeat(20_000, 1), torch.Generator().manual_seed(0))
    noise = drawn - problem.gradient(model)

    assert float(noise.mean(dim=0).abs().max()) < 0.03  # five standard errors of 3/√(16 · 20,000)
    assert float(noise.square().sum(dim=1).mean()) == pytest.approx(problem.noise_variance, rel=0.02)
    assert problem.noise_variance == 9.0


def test_exponential_noise_is_skewed() -> None:
    drawn = Quadratic(dimension=4, distribution="exponential").stochastic_gradients(
        torch.zeros(20_000, 4), torch.Generator().manual_seed(0)
    )

    # The median of the exponential distribution is ln 2; the standard deviation is 1/√4.
    assert float(drawn.median()) == pytest.approx((math.log(2) - 1) / 2, abs=0.01)


def test_the_gradient_at_the_minimum_is_zero() -> None:
    problem = Quadratic()

    assert not problem.gradient(problem.minimum()).any()


def test_eigenvalues_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValueError, match="smallest 2 exceeds largest 1"):
        Quadratic(smallest=2.0, largest=1.0)
