import pytest
import torch

from liecbench.tasks.mlp import MLP


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (MLP(width=256, layers=2), 64 * 256 + 256 + 256 * 256 + 256 + 256 * 10 + 10),
        (MLP(width=32, layers=1), 64 * 32 + 32 + 32 * 10 + 10),
        (MLP(layers=0), 64 * 10 + 10),
    ],
)
def test_parameters_are_counted_by_hand(model: MLP, expected: int) -> None:
    network = model.build((1, 8, 8), 10)

    assert sum(parameter.numel() for parameter in network.parameters()) == expected
    assert network(torch.zeros(3, 1, 8, 8)).shape == (3, 10)


def test_the_random_state_decides_the_network() -> None:
    torch.manual_seed(3)
    first = MLP().build((1, 8, 8), 10)
    torch.manual_seed(3)
    second = MLP().build((1, 8, 8), 10)

    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)
