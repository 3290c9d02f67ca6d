import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from liecbench.tasks.digits import Digits
from liecbench.tasks.logistic import Logistic

PROBLEM = Logistic(penalty=0.01, batch_size=4)


def value(model: Tensor) -> Tensor:
    train, _ = Digits().load()
    weights = model.view(65, 10)
    logits = train.inputs.flatten(1).double() @ weights[:64] + weights[64]
    return cross_entropy(logits, train.labels) + 0.005 * model.square().sum()


def test_the_gradient_is_that_of_the_loss_of_all_digits() -> None:
    model = torch.randn(650, generator=torch.Generator().manual_seed(0)).double().requires_grad_()
    (expected,) = torch.autograd.grad(value(model), model)

    torch.testing.assert_close(PROBLEM.gradient(model.detach().float()).double(), expected, rtol=1e-4, atol=1e-6)


def test_the_gradient_at_the_minimum_is_zero() -> None:
    assert float(PROBLEM.gradient(PROBLEM.minimum()).norm()) < 1e-5


def test_stochastic_gradients_have_mean_and_variance_at_the_minimum() -> None:
    minimum = PROBLEM.minimum()
    drawn = PROBLEM.stochastic_gradients(minimum.repeat(20_000, 1), torch.Generator().manual_seed(0))

    assert float(drawn.mean(dim=0).norm()) ** 2 < 2 * PROBLEM.noise_variance / 20_000
    assert float(drawn.square().sum(dim=1).mean()) == pytest.approx(PROBLEM.noise_variance, rel=0.05)


def test_the_smoothness_bounds_how_fast_gradients_change() -> None:
    random = torch.Generator().manual_seed(1)
    for scale in (0.01, 1.0, 10.0):
        x, y = (scale * torch.randn(650, generator=random) for _ in range(2))
        ratio = float((PROBLEM.gradient(x) - PROBLEM.gradient(y)).norm() / (x - y).norm())

        assert 0.01 <= ratio <= PROBLEM.smoothness


def test_the_smoothness_is_that_of_the_images() -> None:
    train, _ = Digits().load()
    inputs = torch.cat([train.inputs.flatten(1), torch.ones(1437, 1)], dim=1).double()
    largest = float(torch.linalg.matrix_norm(inputs, 2)) ** 2 / 1437

    assert PROBLEM.smoothness == pytest.approx(0.01 + largest / 2, rel=1e-6)
