"""On a GPU the compressors that select or round each entry by itself give what they give on the CPU, bit for bit."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from liecbench.compressors import BF16, FP16, Compressor, Identity, Message, RandomK, Rounds, TopK
from liecbench.compressors.base import RngKey
from liecbench.compressors.codecs.elias_fano import Coding
from tests.compressors.on_gpu import Place, places
from tests.compressors.test_casts import patterns
from tests.compressors.vectors import normal, vectors

pytest.importorskip("triton")
# The interpreter subtracts infinities by numpy, which warns of it.
pytestmark = pytest.mark.filterwarnings("ignore:(invalid value|overflow) encountered:RuntimeWarning")

RATIOS = [0.001, 0.01, 0.1, 0.7, 1.0]
COMPRESSORS: list[Compressor] = [
    *map(TopK, RATIOS),
    *map(RandomK, RATIOS),
    RandomK(0.1, unbiased=True).with_rng(RngKey(step=3, shard=1)),
    FP16(),
    BF16(),
    Identity(),
    Rounds(TopK(0.1), 2),
    Rounds(RandomK(0.1), 3),
    Rounds(FP16(), 2),
]
LENGTH = 2500
# Around what a kernel takes at once: 512, 1024, 2048, 4096 and 8192 elements.
LENGTHS = [1, 2, 7, 511, 513, 1025, 2047, 2048, 2049, 4097, 8191, 8193]
compressors = pytest.mark.parametrize("compressor", COMPRESSORS, ids=str)
casts = pytest.mark.parametrize("compressor", [FP16(), BF16()], ids=str)
one_of_a_kind = pytest.mark.parametrize("compressor", [TopK(0.01), TopK(0.7), RandomK(0.1), BF16()], ids=str)


def everywhere(numel: int) -> Tensor:
    """Finite float32 of every exponent."""
    bits = np.random.default_rng(numel).integers(0, 2**32, 2 * numel, dtype=np.uint32)
    values = torch.from_numpy(bits.view(np.float32))
    return values[values.isfinite()][:numel].clone()


AWKWARD = {
    "every exponent": everywhere(LENGTH),
    "ties": normal(LENGTH).round(),
    "zeros of both signs": torch.tensor([0.0, -0.0]).repeat(LENGTH // 2),
    "all equal": torch.full((LENGTH,), -2.0),
    "few are not zero": torch.nn.functional.pad(normal(2), (LENGTH // 2, 100)),
    "neighbours in the last digit": torch.arange(LENGTH, dtype=torch.int32).add(0x3F800000).view(torch.float32),
    "denormal": normal(LENGTH) * 1e-40,
    "huge": normal(LENGTH).clamp(-3, 3) * 1e38,
}


def same(actual: Tensor, expected: Tensor) -> bool:
    """Bit for bit, wherever they are."""
    return torch.equal(actual.cpu().view(torch.uint8), expected.view(torch.uint8))


def messages_match(place: Place, compressor: Compressor, vector: Tensor) -> bool:
    """Messages and residuals: without one, apart, and in place."""
    left = torch.empty_like(vector)
    expected = compressor.compress(vector, left)
    there, apart, in_place = place.put(vector), place.put(vector), place.put(vector)
    with place.kernels():
        # Identity's messages share their vector's memory.
        messages = [compressor.compress(place.put(vector)), compressor.compress(there, apart)]
        messages.append(compressor.compress(in_place, in_place))
    return (
        all(same(message.payload, expected.payload) for message in messages)
        and same(there, vector)
        and same(apart, left)
        and same(in_place, left)
    )


def sums(place: Place, compressor: Compressor, vectors: list[Tensor], accumulate: bool, weight: float) -> Tensor:
    """There, of messages made on the CPU; where nothing is accumulated ``out`` starts as NaN."""
    numel = vectors[0].numel()
    messages = [Message(place.put(compressor.compress(vector).payload), numel) for vector in vectors]
    out = place.put(normal(numel, 99) if accumulate else torch.full((numel,), torch.nan))
    with place.kernels():
        return compressor.sum_messages(messages, out, accumulate, weight)


def sums_here(compressor: Compressor, vectors: list[Tensor], accumulate: bool, weight: float) -> Tensor:
    messages = [compressor.compress(vector) for vector in vectors]
    numel = vectors[0].numel()
    return compressor.sum_messages(
        messages, normal(numel, 99) if accumulate else torch.empty(numel), accumulate, weight
    )


@places
@compressors
@pytest.mark.parametrize("name", AWKWARD)
def test_messages_and_residuals_of_awkward_vectors(place: Place, compressor: Compressor, name: str) -> None:
    assert messages_match(place, compressor, AWKWARD[name])


@places
@one_of_a_kind
@pytest.mark.parametrize("numel", LENGTHS)
def test_messages_and_residuals_around_the_borders_of_blocks(place: Place, compressor: Compressor, numel: int) -> None:
    assert messages_match(place, compressor, normal(numel, numel))


@places
@compressors
@pytest.mark.parametrize("numel", [7, 4096, 5000])
def test_a_vector_may_begin_anywhere(place: Place, compressor: Compressor, numel: int) -> None:
    vector = normal(numel + 1)
    message = compressor.compress(vector[1:])
    expected = compressor.sum_messages([message, message], vector.clone()[1:], True, 1 / 3)
    there, whole = place.put(vector), place.put(vector)
    with place.kernels():
        again = compressor.compress(there[1:], there[1:])
        actual = compressor.sum_messages([again, again], whole[1:], True, 1 / 3)

    assert same(again.payload, message.payload)
    assert same(actual, expected)
    assert same(whole[:1], vector[:1])
    assert same(there[:1], vector[:1])


@places
@given(vectors(300), st.sampled_from(COMPRESSORS))
@settings(max_examples=15)
def test_messages_and_residuals_of_any_vector(place: Place, vector: Tensor, compressor: Compressor) -> None:
    assert messages_match(place, compressor, vector)


@places
@compressors
@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_sums(place: Place, compressor: Compressor, count: int, accumulate: bool) -> None:
    several = [normal(1100, seed) for seed in range(count)]

    actual = sums(place, compressor, several, accumulate, 1 / 3)

    assert same(actual, sums_here(compressor, several, accumulate, 1 / 3))


@places
@casts
def test_a_sum_of_more_messages_than_a_launch_takes(place: Place, compressor: Compressor) -> None:
    several = [normal(10, seed) for seed in range(33)]

    actual = sums(place, compressor, several, False, 1 / 3)

    assert same(actual, sums_here(compressor, several, False, 1 / 3))


@places
@one_of_a_kind
@pytest.mark.parametrize("numel", LENGTHS)
def test_sums_around_the_borders_of_blocks(place: Place, compressor: Compressor, numel: int) -> None:
    actual = sums(place, compressor, [normal(numel, numel)], True, 1.0)

    assert same(actual, sums_here(compressor, [normal(numel, numel)], True, 1.0))


@places
@one_of_a_kind
@pytest.mark.parametrize("name", AWKWARD)
def test_sums_of_awkward_vectors(place: Place, compressor: Compressor, name: str) -> None:
    vector = AWKWARD[name] / 8  # huge ones would add up to infinity

    actual = sums(place, compressor, [vector, vector], False, 1 / 3)

    assert same(actual, sums_here(compressor, [vector, vector], False, 1 / 3))


@places
@compressors
@pytest.mark.parametrize("value", [1e30, -torch.inf, torch.nan])
@pytest.mark.parametrize("position", [0, -1])
def test_every_message_says_whether_it_is_finite(
    place: Place, compressor: Compressor, value: float, position: int
) -> None:
    vector = normal(600)
    vector[position] = value
    with place.kernels():
        flag = compressor.finite_flag(compressor.compress(place.put(vector)))

    assert (torch.Size([]), torch.bool, place.device, np.isfinite(value)) == (
        flag.shape,
        flag.dtype,
        flag.device.type,
        flag.item(),
    )


@places
@casts
def test_casts_round_every_pattern_alike(place: Place, compressor: Compressor) -> None:
    values = patterns()[::17]  # an odd step leaves patterns of every kind
    values = values[values.isfinite()]

    actual = sums(place, compressor, [values], False, 1 / 3)

    assert messages_match(place, compressor, values)
    assert same(actual, sums_here(compressor, [values], False, 1 / 3))


@places
@pytest.mark.parametrize("numel", [3000, 2**16])
@pytest.mark.parametrize("kept", [1, 9, 2500])
@pytest.mark.parametrize("width", [None, 0, 1, 8, 13])
def test_every_code_of_positions(place: Place, numel: int, kept: int, width: int | None) -> None:
    coding = Coding(numel, kept, width or 0, int(width is not None))
    positions = np.sort(np.random.default_rng(kept).choice(numel, kept, replace=False))
    packed = np.zeros(coding.nbytes, np.uint8)
    coding.encode(positions, 0, packed)
    entries, out = normal(kept), normal(numel)
    there, added = place.put(torch.full((coding.nbytes,), 255, dtype=torch.uint8)), place.put(out)

    coding.encode_on_gpu(place.put(torch.from_numpy(positions)), there)
    coding.add_at_on_gpu(there, place.put(entries), 1 / 3, added)

    coding.add_at(packed, entries.numpy(), 1 / 3, out.numpy())
    assert same(there, torch.from_numpy(packed))
    assert same(added, out)


@places
def test_positions_of_a_long_vector_do_not_overflow(place: Place) -> None:
    coding = Coding.shortest(2**33, 7)
    positions = np.sort(np.random.default_rng(0).choice(2**33, 7, replace=False))
    packed = np.zeros(coding.nbytes, np.uint8)
    coding.encode(positions, 0, packed)
    there = place.put(torch.zeros(coding.nbytes, dtype=torch.uint8))

    coding.encode_on_gpu(place.put(torch.from_numpy(positions)), there)

    assert same(there, torch.from_numpy(packed))
