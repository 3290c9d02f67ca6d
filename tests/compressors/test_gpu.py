"""GPU kernels against the CPU's: bit for bit the same."""

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from liecbench.compressors import QSGD, Compressor, Int8, RngKey, Sign, TernGrad
from liecbench.compressors.votes import Majority, Votes
from tests.compressors.on_gpu import Place, places
from tests.compressors.vectors import normal, vectors

pytest.importorskip("triton")
# The interpreter computes with numpy, which warns of infinities that a GPU passes on.
pytestmark = pytest.mark.filterwarnings("ignore:(invalid value|overflow|divide by zero) encountered:RuntimeWarning")

DRAW = RngKey(step=3, block=1, shard=2, stage=1, sender=4)
EVERY: list[Compressor] = [
    Sign(),
    Votes(),
    Majority(),
    TernGrad().with_rng(DRAW),
    QSGD().with_rng(DRAW),
    QSGD(levels=127),
    Int8(),
]
KEEPING = [compressor for compressor in EVERY if not isinstance(compressor, Votes | Majority)]
every = pytest.mark.parametrize("compressor", EVERY, ids=str)
every_keeping = pytest.mark.parametrize("compressor", KEEPING, ids=str)
# Around a byte of signs, a bucket, a group, a chunk of a sum; several blocks, with a rest and without.
LENGTHS = [1, 8, 9, 65, 511, 512, 513, 1280, 1281, 4096, 4097, 5000, 3 * 4096 + 1285]


def bits(tensor: Tensor) -> list[int]:
    return tensor.cpu().view(torch.int32).tolist()


def three_ways(compressor: Compressor, vector: Tensor) -> list[list[int]]:
    """The messages without a residual, with one apart and with one in place, and both residuals."""
    apart, in_place = torch.empty_like(vector), vector.clone()
    messages = [compressor.compress(vector), compressor.compress(vector, apart)]
    messages.append(compressor.compress(in_place, in_place))
    return [*(message.payload.tolist() for message in messages), bits(apart), bits(in_place)]


@places
@every
@pytest.mark.parametrize("numel", LENGTHS)
def test_the_message_is_the_cpus(place: Place, compressor: Compressor, numel: int) -> None:
    vector = normal(numel, numel)
    expected = compressor.compress(vector)

    with place.kernels():
        actual = compressor.compress(place.put(vector))

    assert expected.payload.tolist() == actual.payload.tolist()


@places
@every_keeping
@pytest.mark.parametrize("numel", [5, 1291, 4608])
def test_the_residual_is_the_cpus(place: Place, compressor: Compressor, numel: int) -> None:
    vector = normal(numel, numel)
    expected = three_ways(compressor, vector)

    with place.kernels():
        actual = three_ways(compressor, place.put(vector))

    assert expected == actual


@places
@every_keeping
@given(vector=vectors())
@settings(max_examples=5)
def test_denormal_and_huge_values_too(place: Place, compressor: Compressor, vector: Tensor) -> None:
    expected = three_ways(compressor, vector)

    with place.kernels():
        actual = three_ways(compressor, place.put(vector))

    assert expected == actual


@places
@every
@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize(("count", "numel", "weight"), [(1, 5000, 0.7), (2, 4096, 1.0), (9, 1291, 1 / 3), (8, 9, -0.1)])
def test_sums_of_messages_are_the_cpus(
    place: Place, compressor: Compressor, accumulate: bool, count: int, numel: int, weight: float
) -> None:
    messages = [compressor.compress(normal(numel, seed)) for seed in range(count)]
    start = normal(numel, count)
    expected = compressor.sum_messages(messages, start.clone(), accumulate, weight)

    with place.kernels():
        there = [type(message)(place.put(message.payload), numel) for message in messages]
        actual = compressor.sum_messages(there, place.put(start), accumulate, weight)

    assert bits(expected) == bits(actual)


@places
@every
@pytest.mark.parametrize("bad", [0.0, torch.nan, torch.inf, -torch.inf])
def test_what_is_not_finite_shows_in_the_message(place: Place, compressor: Compressor, bad: float) -> None:
    vector = normal(1300)
    vector[1290] = bad

    with place.kernels():
        flag = compressor.finite_flag(compressor.compress(place.put(vector)))

    assert (bad == 0, [], place.device) == (bool(flag), list(flag.shape), flag.device.type)


@places
@every
def test_a_vector_may_begin_anywhere(place: Place, compressor: Compressor) -> None:
    vector = normal(5001)
    message = compressor.compress(vector[1:])
    expected = compressor.decompress(message, torch.zeros(5001)[1:])

    with place.kernels():
        again = compressor.compress(place.put(vector)[1:])
        actual = compressor.decompress(again, place.put(torch.zeros(5001))[1:])

    assert message.payload.tolist() == again.payload.tolist()
    assert bits(expected) == bits(actual)


@places
def test_a_majority_by_a_hair(place: Place) -> None:
    tie = torch.tensor(1e-4)
    near = torch.stack([tie, tie.nextafter(torch.tensor(1.0)), -tie, (-tie).nextafter(torch.tensor(-1.0))])
    expected = Majority().decompress(Majority().compress(near))

    with place.kernels():
        actual = Majority().decompress(Majority().compress(place.put(near)))

    assert [0, 1, 0, -1] == expected.tolist() == actual.tolist()


@pytest.mark.gpu
@every
def test_more_than_a_chunk_of_chunks(compressor: Compressor) -> None:
    vector = normal(4096 * 4096 + 5000)

    assert torch.equal(compressor.compress(vector).payload, compressor.compress(vector.cuda()).payload.cpu())
