import pytest
import torch

from liecbench.errors import LiecbenchError
from liecbench.tasks.base import accuracy, cross_entropy
from liecbench.tasks.cnn import CNN
from liecbench.tasks.digits import Digits


@pytest.mark.parametrize(
    ("model", "input_shape", "expected"),
    [
        (CNN(), (1, 8, 8), (9 * 32 + 32) + (9 * 32 * 64 + 64) + (64 * 2 * 2 * 10 + 10)),
        (CNN(), (3, 32, 32), (27 * 32 + 32) + (9 * 32 * 64 + 64) + (64 * 8 * 8 * 10 + 10)),
        (CNN(channels=8, layers=3), (3, 64, 64), 27 * 8 + 8 + 72 * 16 + 16 + 144 * 32 + 32 + 32 * 8 * 8 * 10 + 10),
        (CNN(layers=1), (1, 4, 4), 9 * 32 + 32 + 32 * 2 * 2 * 10 + 10),
        (CNN(), (2, 5, 15), (18 * 32 + 32) + (9 * 32 * 64 + 64) + (64 * 1 * 3 * 10 + 10)),
    ],
)
def test_parameters_are_counted_by_hand(model: CNN, input_shape: tuple[int, ...], expected: int) -> None:
    network = model.build(input_shape, 10)

    assert sum(parameter.numel() for parameter in network.parameters()) == expected
    assert network(torch.zeros(3, *input_shape)).shape == (3, 10)


def test_the_random_state_decides_the_network() -> None:
    torch.manual_seed(3)
    first = CNN().build((1, 8, 8), 10)
    torch.manual_seed(3)
    second = CNN().build((1, 8, 8), 10)

    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_plain_sgd_learns_the_digits() -> None:
    torch.manual_seed(0)
    train, test = Digits().load()
    network = CNN().build((1, 8, 8), 10)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.2)
    for _ in range(12):
        for indices in torch.randperm(len(train)).split(32):
            optimizer.zero_grad()
            cross_entropy(network(train.inputs[indices]), train.labels[indices]).backward()
            optimizer.step()

    assert accuracy(network.eval()(test.inputs), test.labels) >= 0.95


def test_it_runs_without_storage() -> None:
    with torch.device("meta"):
        logits = CNN().build((3, 32, 32), 10)(torch.empty(2, 3, 32, 32))

    assert (logits.shape, logits.device.type) == ((2, 10), "meta")


def test_it_runs_in_bf16() -> None:
    network = CNN().build((1, 8, 8), 10)
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(torch.randn(4, 1, 8, 8))
        cross_entropy(logits, torch.tensor([0, 1, 2, 3])).backward()

    assert logits.dtype == torch.bfloat16
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


def test_every_parameter_gets_a_gradient() -> None:
    network = CNN().build((3, 32, 32), 10)
    cross_entropy(network(torch.randn(2, 3, 32, 32)), torch.tensor([0, 1])).backward()

    assert [parameter.grad is None for parameter in network.parameters()] == [False] * 6


def test_too_many_layers_are_refused() -> None:
    assert CNN(layers=3).build((1, 8, 9), 10)(torch.zeros(1, 1, 8, 9)).shape == (1, 10)
    with pytest.raises(LiecbenchError, match=r"4 layers .* 8×9 pixels .*3 at most"):
        CNN(layers=4).build((1, 8, 9), 10)


def test_examples_that_are_no_images_are_refused() -> None:
    with pytest.raises(LiecbenchError, match=r"\(64,\); choose another model"):
        CNN().build((64,), 10)
