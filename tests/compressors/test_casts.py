import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from liecbench.compressors import BF16, FP16, Compressor, Int8
from tests.compressors.vectors import normal, vectors

CASTS = [(FP16(), torch.float16), (BF16(), torch.bfloat16)]


def patterns() -> torch.Tensor:
    """float32 of every exponent, and those between which a 16-bit format has to choose."""
    everywhere = np.random.default_rng(0).integers(0, 2**32, 200_000, dtype=np.uint32)
    upper = np.arange(2**16, dtype=np.uint32) << 16
    ties = np.concatenate([upper | low for low in (0, 0x7FFF, 0x8000, 0x8001)])
    half = np.arange(2**16, dtype=np.uint16).view(np.float16).astype(np.float32).view(np.uint32)
    between = np.concatenate([half + np.uint32(shift) for shift in (0, 0xFFF, 0x1000, 0x1001)])
    return torch.from_numpy(np.concatenate([everywhere, ties, between]).view(np.float32))


@pytest.mark.parametrize(("compressor", "dtype"), CASTS)
def test_rounding_is_that_of_torch_but_for_saturation(compressor: Compressor, dtype: torch.dtype) -> None:
    values = patterns()
    most = torch.finfo(dtype).max
    expected = torch.where(values.isfinite(), values.clamp(-most, most), values).to(dtype).float()

    actual = compressor.decompress(compressor.compress(values))

    torch.testing.assert_close(actual, expected, rtol=0, atol=0, equal_nan=True)
    numbers = ~expected.isnan()
    assert torch.equal(actual.signbit()[numbers], expected.signbit()[numbers])


@pytest.mark.parametrize(("compressor", "dtype"), CASTS)
def test_a_message_is_the_format_that_torch_has(compressor: Compressor, dtype: torch.dtype) -> None:
    vector = normal(1000)

    assert torch.equal(compressor.compress(vector).payload.view(dtype), vector.to(dtype))


@pytest.mark.parametrize(("compressor", "dtype"), CASTS)
def test_finite_values_stay_finite(compressor: Compressor, dtype: torch.dtype) -> None:
    vector = torch.tensor([torch.finfo(torch.float32).max, -torch.finfo(torch.float32).max, 1.0])
    most = torch.finfo(dtype).max

    message = compressor.compress(vector)

    assert compressor.is_finite(message)
    assert compressor.decompress(message).tolist() == [most, -most, 1.0]


@given(vectors(3000))
def test_int8_is_the_nearest_of_255_levels(vector: torch.Tensor) -> None:
    scale = np.float32(max(float(vector.abs().max()) / 127, 2.0**-149 if vector.any() else 0.0))
    exact = vector.numpy() / scale if scale else vector.numpy()

    payload = Int8().compress(vector).payload.numpy()

    assert payload[:4].view(np.float32)[0] == scale
    assert payload[4:].view(np.int8).tolist() == np.rint(exact).clip(-127, 127).astype(np.int8).tolist()


@given(st.integers(1, 3000))
def test_int8_errs_by_half_a_level_at_most(numel: int) -> None:
    vector, residual = normal(numel, numel), torch.empty(numel)

    Int8().compress(vector, residual)

    assert residual.abs().max() <= vector.abs().max() / 127 / 2 * (1 + 1e-5)


def test_bits_a_parameter() -> None:
    assert [compressor.payload_bytes(1000) for compressor in (FP16(), BF16(), Int8())] == [2000, 2000, 1004]
