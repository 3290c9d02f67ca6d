import pytest
import torch

from liecbench.algorithms.comm.partition import plan_blocks
from liecbench.bench.fixed_gradient import FixedGradient, parameter_numels, resnet18_numels

DEFAULT_SIZE = 11_171_146


def test_tensors_are_those_of_a_resnet18() -> None:
    numels = resnet18_numels()

    # torchvision's ResNet-18 with a 3 × 3 stem and ten classes.
    assert (len(numels), sum(numels)) == (62, 11_173_962)


@pytest.mark.parametrize("size", [1, 7, 4096, DEFAULT_SIZE, 30_000_000])
def test_tensors_sum_to_the_size(size: int) -> None:
    numels = parameter_numels(size)

    assert (size, True) == (sum(numels), min(numels) > 0)


def test_the_default_size_makes_two_blocks() -> None:
    assert len(plan_blocks(parameter_numels(DEFAULT_SIZE), 25 * 2**20)) == 2


def test_the_gradient_is_the_same_in_every_step_and_differs_by_seed() -> None:
    models = [FixedGradient([3, 5], seed=seed) for seed in (0, 0, 1)]
    for _ in range(2):
        for model in models:
            model.zero_grad(set_to_none=False)
            model().backward()
    first, same, other = (torch.cat([p.grad for p in model.parameters() if p.grad is not None]) for model in models)

    assert (torch.equal(first, same), torch.equal(first, other), bool(first.all())) == (True, False, True)
