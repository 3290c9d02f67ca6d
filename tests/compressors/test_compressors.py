"""Properties of every compressor."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from liecbench.compressors import (
    BF16,
    FP16,
    QSGD,
    BlockSign,
    ChunkedTopK,
    Compressor,
    Identity,
    Int4,
    Int8,
    RandomK,
    RngKey,
    Rounds,
    Sign,
    SignL2,
    TernGrad,
    TopK,
)
from tests.compressors.vectors import normal, vectors

EVERY: list[Compressor] = [
    Identity(),
    Sign(),
    BlockSign(),
    SignL2(),
    TopK(0.1),
    TopK(1.0),
    ChunkedTopK(),
    ChunkedTopK(chunk=16, kept=3),
    ChunkedTopK(chunk=100, kept=7, bits=32),
    RandomK(0.1),
    RandomK(0.7),
    RandomK(0.1, unbiased=True),
    RandomK(0.1, unbiased=True, shared_mask=False),
    QSGD(),
    QSGD(levels=1),
    QSGD(levels=100),
    TernGrad(),
    FP16(),
    BF16(),
    Int8(),
    Int8(values_per_scale=256),
    Int4(),
    Int4(values_per_scale=8),
    Rounds(Sign(), 2),
    Rounds(RandomK(0.1), 3),
]
every = pytest.mark.parametrize("compressor", EVERY, ids=str)


@every
@settings(max_examples=40)
@given(vector=vectors())
def test_message_and_residual_add_up_to_the_vector(compressor: Compressor, vector: torch.Tensor) -> None:
    residual = torch.empty_like(vector)
    message = compressor.compress(vector, residual)

    sent = compressor.decompress(message)

    torch.testing.assert_close(sent + residual, vector, rtol=1e-6, atol=float(vector.abs().max()) * 2e-6)


@every
@settings(max_examples=40)
@given(vector=vectors())
def test_the_residual_may_overwrite_the_vector(compressor: Compressor, vector: torch.Tensor) -> None:
    apart = torch.empty_like(vector)
    expected = compressor.compress(vector, apart)
    in_place = vector.clone()

    actual = compressor.compress(in_place, in_place)

    assert torch.equal(actual.payload, expected.payload)
    assert torch.equal(in_place, apart)


@every
@settings(max_examples=40)
@given(vector=vectors())
def test_without_a_residual_the_message_is_the_same_and_the_vector_unchanged(
    compressor: Compressor, vector: torch.Tensor
) -> None:
    before = vector.clone()
    expected = compressor.compress(vector, torch.empty_like(vector))

    actual = compressor.compress(vector)

    assert torch.equal(actual.payload, expected.payload)
    assert torch.equal(vector, before)


@every
@settings(max_examples=40)
@given(vector=vectors())
def test_a_message_has_the_announced_size(compressor: Compressor, vector: torch.Tensor) -> None:
    message = compressor.compress(vector)

    assert message.payload_bytes == compressor.payload_bytes(vector.numel()) == message.payload.nbytes


@every
@settings(max_examples=40)
@given(vector=vectors(), weight=st.sampled_from([1.0, 0.25, 1 / 3]))
def test_accumulate_adds_instead_of_overwriting(compressor: Compressor, vector: torch.Tensor, weight: float) -> None:
    message = compressor.compress(vector)
    once = compressor.decompress(message, torch.full_like(vector, 7.0), weight=weight)
    start = torch.linspace(-1, 1, vector.numel())

    actual = compressor.decompress(message, start.clone(), accumulate=True, weight=weight)

    # Terms of several rounds may cancel: then the rounding error is of their size.
    torch.testing.assert_close(actual, start + once, rtol=1.3e-6, atol=1e-5 + 1e-6 * float(vector.abs().max()))


@every
@settings(max_examples=40)
@given(vector=vectors(), bad=st.sampled_from([torch.nan, torch.inf, -torch.inf]), place=st.integers(0, 10**6))
def test_a_message_tells_whether_the_vector_was_finite(
    compressor: Compressor, vector: torch.Tensor, bad: float, place: int
) -> None:
    assert compressor.is_finite(compressor.compress(vector))

    vector[place % vector.numel()] = bad
    message = compressor.compress(vector, torch.empty_like(vector))

    assert not compressor.is_finite(message)
    assert not compressor.decompress(message).isfinite().all()


@every
@pytest.mark.parametrize("numel", [3, 600, 5000])
def test_finite_values_near_float32s_largest_are_finite(compressor: Compressor, numel: int) -> None:
    vector = torch.full((numel,), 3e38)
    vector[::3] = -3e38

    message = compressor.compress(vector)

    assert compressor.is_finite(message)
    assert compressor.decompress(message, weight=1 / 4).isfinite().all()


@every
def test_an_empty_vector_makes_an_empty_message(compressor: Compressor) -> None:
    message = compressor.compress(torch.empty(0))

    assert message.payload_bytes == 0
    assert compressor.decompress(message).numel() == 0


@every
def test_zeros_come_back_as_zeros(compressor: Compressor) -> None:
    residual = torch.ones(1300)

    message = compressor.compress(torch.zeros(1300), residual)

    assert not compressor.decompress(message).any()
    assert not residual.any()


@every
def test_vectors_of_several_blocks(compressor: Compressor) -> None:
    vector, residual = normal(3 * 4096 + 1285), torch.empty(3 * 4096 + 1285)

    sent = compressor.decompress(compressor.compress(vector, residual))

    torch.testing.assert_close(sent + residual, vector, rtol=1e-6, atol=1e-4)


@every
def test_the_same_key_gives_the_same_message(compressor: Compressor) -> None:
    key, vector = RngKey(step=3, block=1, shard=2, stage=1, sender=4), normal(2000)

    once, again = (compressor.with_rng(key).compress(vector).payload.tolist() for _ in range(2))

    assert once == again


def test_which_compressors_are_contractions() -> None:
    others = {str(compressor) for compressor in EVERY if not compressor.is_contraction}

    expected = [
        SignL2(),
        RandomK(0.1, unbiased=True),
        RandomK(0.1, unbiased=True, shared_mask=False),
        QSGD(),
        QSGD(levels=1),
        QSGD(levels=100),
        TernGrad(),
    ]
    assert others == {str(compressor) for compressor in expected}
    assert not Rounds(TernGrad(), 2).is_contraction
