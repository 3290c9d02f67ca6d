"""What holds for every compressor."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from liecbench.compressors import Compressor, Identity, Sign, TopK

EVERY: list[Compressor] = [Identity(), Sign(), TopK(0.1), TopK(1.0)]
SCALES = [1e-40, 1e-20, 1.0, 1e20]
every = pytest.mark.parametrize("compressor", EVERY, ids=str)


@st.composite
def vectors(draw: st.DrawFn) -> torch.Tensor:
    """Lengths around the bytes of a sign message, zeros and ties, magnitudes from denormal to huge."""
    numel = draw(st.integers(1, 200))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    vector = torch.randn(numel, generator=generator)
    if draw(st.booleans()):
        vector = vector.round()
    return vector * draw(st.sampled_from(SCALES))


@every
@given(vector=vectors())
def test_what_is_sent_and_what_is_kept_make_what_came_in(compressor: Compressor, vector: torch.Tensor) -> None:
    residual = torch.empty_like(vector)
    message = compressor.compress(vector, residual)

    sent = compressor.decompress(message)

    torch.testing.assert_close(sent + residual, vector, rtol=1e-6, atol=float(vector.abs().max()) * 1e-6)


@every
@given(vector=vectors())
def test_the_residual_may_take_the_vectors_place(compressor: Compressor, vector: torch.Tensor) -> None:
    apart = torch.empty_like(vector)
    expected = compressor.compress(vector, apart)
    in_place = vector.clone()

    actual = compressor.compress(in_place, in_place)

    assert torch.equal(actual.payload, expected.payload)
    assert torch.equal(in_place, apart)


@every
@given(vector=vectors())
def test_a_message_has_the_size_that_was_announced(compressor: Compressor, vector: torch.Tensor) -> None:
    message = compressor.compress(vector)

    assert message.payload_bytes == compressor.payload_bytes(vector.numel()) == message.payload.nbytes


@every
@given(vector=vectors(), weight=st.sampled_from([1.0, 0.25, 1 / 3]))
def test_decompress_accumulates_what_it_writes(compressor: Compressor, vector: torch.Tensor, weight: float) -> None:
    message = compressor.compress(vector)
    once = compressor.decompress(message, weight=weight)
    start = torch.linspace(-1, 1, vector.numel())

    actual = compressor.decompress(message, start.clone(), accumulate=True, weight=weight)

    torch.testing.assert_close(actual, start + once)


@every
@given(vector=vectors(), bad=st.sampled_from([torch.nan, torch.inf, -torch.inf]), place=st.integers(0, 10**6))
def test_what_is_not_finite_shows_in_the_message(
    compressor: Compressor, vector: torch.Tensor, bad: float, place: int
) -> None:
    assert compressor.is_finite(compressor.compress(vector))

    vector[place % vector.numel()] = bad
    message = compressor.compress(vector)

    assert not compressor.is_finite(message)
    assert not compressor.decompress(message).isfinite().all()


@every
def test_an_empty_vector_makes_an_empty_message(compressor: Compressor) -> None:
    message = compressor.compress(torch.empty(0))

    assert message.payload_bytes == 0
    assert compressor.decompress(message).numel() == 0
