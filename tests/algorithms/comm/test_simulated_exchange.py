"""Calls of the simulated exchange by hand; ``test_simulated_workers.py`` compares it with ranks."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from liecbench.algorithms.comm.exchange import NonFiniteMessageError
from liecbench.algorithms.comm.partition import ServerPlace
from liecbench.algorithms.comm.simulated_exchange import SimulatedExchange
from liecbench.compressors import Identity, Sign, TopK
from liecbench.compressors.base import Message

# Two workers, each with a vector of 3 elements.
VECTOR = torch.tensor([3.0, -1.0, 2.0, 1.0, 5.0, -3.0])


def test_gather_averages_the_compressed_vectors_of_all_workers() -> None:
    out, residual = torch.empty(6), torch.empty(6)
    SimulatedExchange(2, "sharded").gather(TopK(0.3), VECTOR.clone(), out=out, residual=residual)

    assert out.tolist() == [1.5, 2.5, 0.0, 1.5, 2.5, 0.0]
    assert residual.tolist() == [0.0, -1.0, 2.0, 1.0, 0.0, -3.0]


def test_gather_leaves_it_to_the_caller_how_to_combine_messages() -> None:
    def largest(messages: Sequence[Message], out: Tensor) -> None:
        torch.amax(torch.stack([Identity().decompress(message) for message in messages]), dim=0, out=out)

    out = SimulatedExchange(2, "sharded").gather(Identity(), VECTOR.clone(), out=torch.empty(6), combine=largest)

    assert out.tolist() == [3.0, 5.0, 2.0, 3.0, 5.0, 2.0]


def test_a_mean_gets_the_error_and_resets_it() -> None:
    error = torch.tensor([1.0, 0.0, 0.5])
    mean = SimulatedExchange(2, "root").mean(VECTOR.clone(), add=error)

    assert mean.tolist() == [3.0, 2.0, 0.0, 3.0, 2.0, 0.0]
    assert error.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("server", ["root", "sharded"])
def test_the_residual_is_that_of_each_worker_and_shard(server: ServerPlace) -> None:
    vector = torch.arange(-10.0, 14.0)  # two workers with 12 elements, in shards of 8 and 4 or in one
    expected = vector.clone()
    for piece in expected.view(2, 12).unbind():
        for shard in [piece] if server == "root" else piece.split(8):
            shard -= shard.abs().mean() * torch.where(shard >= 0, 1.0, -1.0)
    SimulatedExchange(2, server).keep_residual(Sign(), vector)

    torch.testing.assert_close(vector, expected)


def test_a_message_that_is_not_finite_is_an_error() -> None:
    exchange, out = SimulatedExchange(2, "root"), torch.empty(6)
    vector = VECTOR.clone()
    vector[4] = torch.nan

    with pytest.raises(NonFiniteMessageError):
        exchange.mean(vector.clone())
    with pytest.raises(NonFiniteMessageError):
        exchange.gather(Sign(), vector, out=out)
