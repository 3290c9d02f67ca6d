"""GPU kernels of the compressors that pack signs or levels give the bits of the CPU kernels."""

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from liecbench.compressors import QSGD, Compressor, Int4, Int8, RngKey, Sign, SignL2, TernGrad
from liecbench.compressors.majority_vote import Majority, Votes
from tests.compressors.combinations import spread
from tests.compressors.kernels.triton.places import Place, places
from tests.compressors.vectors import normal, vectors

pytest.importorskip("triton")
# The interpreter computes with numpy, which warns of infinities that a GPU passes on.
pytestmark = pytest.mark.filterwarnings("ignore:(invalid value|overflow|divide by zero) encountered:RuntimeWarning")

KEY = RngKey(step=3, block=1, shard=2, stage=1, sender=4)
EVERY: list[Compressor] = [
    Sign(),
    SignL2(),
    Votes(),
    Majority(),
    TernGrad().with_rng(KEY),
    QSGD().with_rng(KEY),
    QSGD(levels=127),
    Int8(),
    Int8(values_per_scale=256),
    Int4(),
    Int4(values_per_scale=8),
    Int4(values_per_scale=4096),
]
WITH_RESIDUAL = [compressor for compressor in EVERY if not isinstance(compressor, Votes | Majority)]
every = pytest.mark.parametrize("compressor", EVERY, ids=str)
# Around a byte of signs, a bucket, a group and a chunk of a sum; several blocks, whole and with a rest.
LENGTHS = [1, 8, 9, 65, 511, 512, 513, 1280, 1281, 4096, 4097, 5000, 3 * 4096 + 1285]


def bits(tensor: Tensor) -> list[int]:
    return tensor.cpu().view(torch.int32).tolist()


def messages_and_residuals(compressor: Compressor, vector: Tensor) -> list[list[int]]:
    """Return messages without a residual, with a separate one and with one in place, and both residuals."""
    apart, in_place = torch.empty_like(vector), vector.clone()
    messages = [compressor.compress(vector), compressor.compress(vector, apart)]
    messages.append(compressor.compress(in_place, in_place))
    return [*(message.payload.tolist() for message in messages), bits(apart), bits(in_place)]


@places
@pytest.mark.parametrize(("compressor", "numel"), spread(EVERY, LENGTHS, one_in=6))
def test_messages_are_those_of_the_cpu(place: Place, compressor: Compressor, numel: int) -> None:
    vector = normal(numel, numel)
    expected = compressor.compress(vector)

    with place.kernels():
        actual = compressor.compress(place.put(vector))

    assert expected.payload.tolist() == actual.payload.tolist()


@places
@pytest.mark.parametrize(("compressor", "numel"), spread(WITH_RESIDUAL, [5, 1291, 4608], one_in=3))
def test_residuals_are_those_of_the_cpu(place: Place, compressor: Compressor, numel: int) -> None:
    vector = normal(numel, numel)
    expected = messages_and_residuals(compressor, vector)

    with place.kernels():
        actual = messages_and_residuals(compressor, place.put(vector))

    assert expected == actual


@places
@pytest.mark.parametrize("compressor", WITH_RESIDUAL, ids=str)
@given(vector=vectors())
@settings(max_examples=4)
def test_denormal_and_huge_values_give_the_same_bits(place: Place, compressor: Compressor, vector: Tensor) -> None:
    expected = messages_and_residuals(compressor, vector)

    with place.kernels():
        actual = messages_and_residuals(compressor, place.put(vector))

    assert expected == actual


@places
@pytest.mark.parametrize("compressor", WITH_RESIDUAL, ids=str)
def test_values_whose_sum_overflows_give_the_same_bits(place: Place, compressor: Compressor) -> None:
    vector = normal(4200).clamp(-3, 3) * 1e38
    expected = messages_and_residuals(compressor, vector)

    with place.kernels():
        actual = messages_and_residuals(compressor, place.put(vector))

    assert expected == actual


@places
@pytest.mark.parametrize(
    ("compressor", "accumulate", "case"),
    spread(EVERY, [False, True], [(1, 5000, 0.7), (2, 4096, 1.0), (9, 1291, 1 / 3), (8, 9, -0.1)], one_in=4),
)
def test_sums_of_messages_are_those_of_the_cpu(
    place: Place, compressor: Compressor, accumulate: bool, case: tuple[int, int, float]
) -> None:
    count, numel, weight = case
    messages = [compressor.compress(normal(numel, seed)) for seed in range(count)]
    start = normal(numel, count)
    expected = compressor.sum_messages(messages, start.clone(), accumulate, weight)

    with place.kernels():
        there = [type(message)(place.put(message.payload), numel) for message in messages]
        actual = compressor.sum_messages(there, place.put(start), accumulate, weight)

    assert bits(expected) == bits(actual)


@places
@pytest.mark.parametrize(("compressor", "bad"), spread(EVERY, [0.0, torch.nan, torch.inf, -torch.inf], one_in=2))
def test_a_message_tells_whether_it_is_finite(place: Place, compressor: Compressor, bad: float) -> None:
    vector = normal(1300)
    vector[1290] = bad

    with place.kernels():
        flag = compressor.is_finite(compressor.compress(place.put(vector)))

    assert (bad == 0, [], place.device) == (bool(flag), list(flag.shape), flag.device.type)


@places
@every
def test_a_vector_need_not_be_aligned(place: Place, compressor: Compressor) -> None:
    vector = normal(5001)
    message = compressor.compress(vector[1:])
    expected = compressor.decompress(message, torch.zeros(5001)[1:])

    with place.kernels():
        again = compressor.compress(place.put(vector)[1:])
        actual = compressor.decompress(again, place.put(torch.zeros(5001))[1:])

    assert message.payload.tolist() == again.payload.tolist()
    assert bits(expected) == bits(actual)


@places
def test_a_mean_vote_just_above_a_tie_is_no_tie(place: Place) -> None:
    tie = torch.tensor(1e-4)
    near = torch.stack([tie, tie.nextafter(torch.tensor(1.0)), -tie, (-tie).nextafter(torch.tensor(-1.0))])
    expected = Majority().decompress(Majority().compress(near))

    with place.kernels():
        actual = Majority().decompress(Majority().compress(place.put(near)))

    assert [0, 1, 0, -1] == expected.tolist() == actual.tolist()


@pytest.mark.gpu
@every
def test_vectors_longer_than_a_chunk_of_chunks(compressor: Compressor) -> None:
    vector = normal(4096 * 4096 + 5000)

    assert torch.equal(compressor.compress(vector).payload, compressor.compress(vector.cuda()).payload.cpu())
