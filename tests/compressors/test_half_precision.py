import numpy as np
import pytest
import torch

from liecbench.compressors import BF16, FP16, Compressor
from tests.compressors.vectors import normal

CASTS = [(FP16(), torch.float16), (BF16(), torch.bfloat16)]


def patterns() -> torch.Tensor:
    """Return float32 of every exponent, and those halfway between neighbours of a 16-bit format."""
    everywhere = np.random.default_rng(0).integers(0, 2**32, 200_000, dtype=np.uint32)
    upper = np.arange(2**16, dtype=np.uint32) << 16
    ties = np.concatenate([upper | low for low in (0, 0x7FFF, 0x8000, 0x8001)])
    half = np.arange(2**16, dtype=np.uint16).view(np.float16).astype(np.float32).view(np.uint32)
    between = np.concatenate([half + np.uint32(shift) for shift in (0, 0xFFF, 0x1000, 0x1001)])
    return torch.from_numpy(np.concatenate([everywhere, ties, between]).view(np.float32))


@pytest.mark.parametrize(("compressor", "dtype"), CASTS)
def test_rounding_is_that_of_torch_except_for_saturation(compressor: Compressor, dtype: torch.dtype) -> None:
    values = patterns()
    most = torch.finfo(dtype).max
    expected = torch.where(values.isfinite(), values.clamp(-most, most), values).to(dtype).float()

    actual = compressor.decompress(compressor.compress(values))

    torch.testing.assert_close(actual, expected, rtol=0, atol=0, equal_nan=True)
    numbers = ~expected.isnan()
    assert torch.equal(actual.signbit()[numbers], expected.signbit()[numbers])


@pytest.mark.parametrize(("compressor", "dtype"), CASTS)
def test_a_message_has_the_bits_of_torchs_cast(compressor: Compressor, dtype: torch.dtype) -> None:
    vector = normal(1000)

    assert torch.equal(compressor.compress(vector).payload.view(dtype), vector.to(dtype))


@pytest.mark.parametrize(("compressor", "dtype"), CASTS)
def test_finite_values_stay_finite(compressor: Compressor, dtype: torch.dtype) -> None:
    vector = torch.tensor([torch.finfo(torch.float32).max, -torch.finfo(torch.float32).max, 1.0])
    most = torch.finfo(dtype).max

    message = compressor.compress(vector)

    assert compressor.is_finite(message)
    assert compressor.decompress(message).tolist() == [most, -most, 1.0]


def test_bits_per_parameter() -> None:
    assert [compressor.payload_bytes(1000) for compressor, _ in CASTS] == [2000, 2000]
