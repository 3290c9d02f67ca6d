import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from liecbench.compressors import Int4
from liecbench.compressors.by_name import as_compressor, description
from tests.compressors.groups import expected_levels
from tests.compressors.vectors import normal, vectors


def unpacked(packed: np.ndarray, size: int) -> list[int]:
    """Return the levels of a group: the lower halves of all bytes, and then the upper halves."""
    return [*(packed & 15), *(packed >> 4)][:size]


@given(vectors(3000))
def test_values_are_rounded_to_the_nearest_of_15_levels(vector: torch.Tensor) -> None:
    scales, levels = expected_levels(vector.numpy(), 256, 7)

    payload = Int4().compress(vector).payload.numpy()

    assert payload[: 4 * len(scales)].view(np.float32).tolist() == scales.tolist()
    for number, group in enumerate(levels):
        packed = payload[4 * len(scales) :][number * 128 :][: (len(group) + 1) // 2]
        assert [level - 8 for level in map(int, unpacked(packed, len(group)))] == group.tolist()


@pytest.mark.parametrize("values_per_scale", [8, 256, 4096])
@given(numel=st.integers(1, 9000))
@settings(max_examples=20)
def test_the_error_is_at_most_half_a_level_of_its_group(values_per_scale: int, numel: int) -> None:
    vector, residual = normal(numel, numel), torch.empty(numel)
    vector *= torch.linspace(0.1, 10, numel)

    compressor = as_compressor({"name": "int4", "values_per_scale": values_per_scale})
    compressor.compress(vector, residual)

    for error, group in zip(residual.split(values_per_scale), vector.split(values_per_scale), strict=True):
        assert error.abs().max() <= group.abs().max() / 7 / 2 * (1 + 1e-5)


@pytest.mark.parametrize("numel", [1, 7, 255, 257])
def test_the_spare_half_of_the_last_byte_is_zero(numel: int) -> None:
    payload = Int4().compress(normal(numel)).payload

    assert payload[-1] >> 4 == 0


def test_a_value_takes_half_a_byte_and_a_group_a_scale() -> None:
    assert [Int4().payload_bytes(numel) for numel in (1, 2, 255, 256, 257, 1000)] == [5, 5, 132, 132, 137, 516]
    assert Int4(values_per_scale=64).payload_bytes(1000) == 4 * 16 + 500


def test_the_number_of_values_per_scale_is_a_power_of_two() -> None:
    with pytest.raises(ValueError, match="256, 512"):
        as_compressor({"name": "int4", "values_per_scale": 100})
    with pytest.raises(ValueError, match="256, 512"):
        as_compressor({"name": "int4", "values_per_scale": None})


def test_it_goes_by_its_name_and_options() -> None:
    assert description(Int4()) == {"name": "int4", "values_per_scale": 256}
