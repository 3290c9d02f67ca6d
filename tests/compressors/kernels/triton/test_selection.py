"""GPU kernels of the compressors that select entries or cast each by itself give the bits of the CPU kernels."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from liecbench.compressors import BF16, FP16, ChunkedTopK, Compressor, Identity, Message, RandomK, Rounds, TopK
from liecbench.compressors.base import RngKey
from tests.compressors.combinations import spread
from tests.compressors.kernels.triton.places import Place, places
from tests.compressors.test_half_precision import patterns
from tests.compressors.vectors import normal, vectors

pytest.importorskip("triton")
# The interpreter subtracts infinities by numpy, which warns of it.
pytestmark = pytest.mark.filterwarnings("ignore:(invalid value|overflow) encountered:RuntimeWarning")

RATIOS = [0.001, 0.01, 0.1, 0.7, 1.0]
COMPRESSORS: list[Compressor] = [
    *map(TopK, RATIOS),
    ChunkedTopK(),
    ChunkedTopK(chunk=100, kept=99),
    ChunkedTopK(chunk=512, kept=5, bits=32),
    *map(RandomK, RATIOS),
    RandomK(0.1, unbiased=True).with_rng(RngKey(step=3, shard=1)),
    RandomK(0.1, shared_mask=False).with_rng(RngKey(step=3, shard=1, sender=2)),
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
casts = pytest.mark.parametrize("compressor", [FP16(), BF16()], ids=str)
ONE_OF_A_KIND: list[Compressor] = [TopK(0.01), TopK(0.7), ChunkedTopK(), RandomK(0.1), BF16()]


def of_every_exponent(numel: int) -> Tensor:
    """Return finite float32 of every exponent."""
    bits = np.random.default_rng(numel).integers(0, 2**32, 2 * numel, dtype=np.uint32)
    values = torch.from_numpy(bits.view(np.float32))
    return values[values.isfinite()][:numel].clone()


AWKWARD = {
    "every exponent": of_every_exponent(LENGTH),
    "ties": normal(LENGTH).round(),
    "zeros of both signs": torch.tensor([0.0, -0.0]).repeat(LENGTH // 2),
    "all equal": torch.full((LENGTH,), -2.0),
    "few are not zero": torch.nn.functional.pad(normal(2), (LENGTH // 2, 100)),
    "neighbours in the last digit": torch.arange(LENGTH, dtype=torch.int32).add(0x3F800000).view(torch.float32),
    "denormal": normal(LENGTH) * 1e-40,
    "huge": normal(LENGTH).clamp(-3, 3) * 1e38,
}


def same(actual: Tensor, expected: Tensor) -> bool:
    """Return whether two tensors have the same bits, on whatever devices they are."""
    return torch.equal(actual.cpu().view(torch.uint8), expected.view(torch.uint8))


def messages_match(place: Place, compressor: Compressor, vector: Tensor) -> bool:
    """Return whether messages and residuals are those of the CPU: without a residual, with a separate one, in place."""
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
    """Return a sum computed at ``place`` from messages made on the CPU; ``out`` starts as NaN unless it accumulates."""
    numel = vectors[0].numel()
    messages = [Message(place.put(compressor.compress(vector).payload), numel) for vector in vectors]
    out = place.put(normal(numel, 99) if accumulate else torch.full((numel,), torch.nan))
    with place.kernels():
        return compressor.sum_messages(messages, out, accumulate, weight)


def sums_on_cpu(compressor: Compressor, vectors: list[Tensor], accumulate: bool, weight: float) -> Tensor:
    messages = [compressor.compress(vector) for vector in vectors]
    numel = vectors[0].numel()
    return compressor.sum_messages(
        messages, normal(numel, 99) if accumulate else torch.empty(numel), accumulate, weight
    )


@places
@pytest.mark.parametrize(("compressor", "name"), spread(COMPRESSORS, list(AWKWARD), one_in=8))
def test_messages_and_residuals_of_awkward_vectors(place: Place, compressor: Compressor, name: str) -> None:
    assert messages_match(place, compressor, AWKWARD[name])


@places
@pytest.mark.parametrize(("compressor", "numel"), spread(ONE_OF_A_KIND, LENGTHS, one_in=4))
def test_messages_and_residuals_around_the_borders_of_blocks(place: Place, compressor: Compressor, numel: int) -> None:
    assert messages_match(place, compressor, normal(numel, numel))


@places
@pytest.mark.parametrize(("compressor", "numel"), spread(COMPRESSORS, [7, 4096, 5000], one_in=3))
def test_a_vector_need_not_be_aligned(place: Place, compressor: Compressor, numel: int) -> None:
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
@settings(max_examples=10)
def test_messages_and_residuals_of_any_vector(place: Place, vector: Tensor, compressor: Compressor) -> None:
    assert messages_match(place, compressor, vector)


@places
@pytest.mark.parametrize(("compressor", "count", "accumulate"), spread(COMPRESSORS, [1, 2, 5], [False, True], one_in=3))
def test_sums_of_several_messages(place: Place, compressor: Compressor, count: int, accumulate: bool) -> None:
    several = [normal(1100, seed) for seed in range(count)]

    actual = sums(place, compressor, several, accumulate, 1 / 3)

    assert same(actual, sums_on_cpu(compressor, several, accumulate, 1 / 3))


@places
@casts
def test_a_sum_of_more_messages_than_a_launch_takes(place: Place, compressor: Compressor) -> None:
    several = [normal(10, seed) for seed in range(33)]

    actual = sums(place, compressor, several, False, 1 / 3)

    assert same(actual, sums_on_cpu(compressor, several, False, 1 / 3))


@places
@pytest.mark.parametrize(("compressor", "numel"), spread(ONE_OF_A_KIND, LENGTHS, one_in=4))
def test_sums_around_the_borders_of_blocks(place: Place, compressor: Compressor, numel: int) -> None:
    actual = sums(place, compressor, [normal(numel, numel)], True, 1.0)

    assert same(actual, sums_on_cpu(compressor, [normal(numel, numel)], True, 1.0))


@places
@pytest.mark.parametrize(("compressor", "name"), spread(ONE_OF_A_KIND, list(AWKWARD), one_in=2))
def test_sums_of_awkward_vectors(place: Place, compressor: Compressor, name: str) -> None:
    vector = AWKWARD[name] / 8  # huge ones would add up to infinity

    actual = sums(place, compressor, [vector, vector], False, 1 / 3)

    assert same(actual, sums_on_cpu(compressor, [vector, vector], False, 1 / 3))


@places
@pytest.mark.parametrize(
    ("compressor", "value", "position"), spread(COMPRESSORS, [1e30, -torch.inf, torch.nan], [0, -1], one_in=2)
)
def test_a_message_tells_whether_it_is_finite(
    place: Place, compressor: Compressor, value: float, position: int
) -> None:
    vector = normal(600)
    vector[position] = value
    with place.kernels():
        flag = compressor.is_finite(compressor.compress(place.put(vector)))

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
    assert same(actual, sums_on_cpu(compressor, [values], False, 1 / 3))
