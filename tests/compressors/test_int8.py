import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from liecbench.compressors import Int8
from liecbench.compressors.by_name import as_compressor, description
from tests.compressors.groups import expected_levels
from tests.compressors.vectors import normal, vectors


@given(vectors(3000))
def test_values_are_rounded_to_the_nearest_of_255_levels(vector: torch.Tensor) -> None:
    scale = np.float32(max(float(vector.abs().max()) / 127, 2.0**-149 if vector.any() else 0.0))
    exact = vector.numpy() / scale if scale else vector.numpy()

    payload = Int8().compress(vector).payload.numpy()

    assert payload[:4].view(np.float32)[0] == scale
    assert payload[4:].view(np.int8).tolist() == np.rint(exact).clip(-127, 127).astype(np.int8).tolist()


@given(st.integers(1, 3000))
def test_the_error_is_at_most_half_a_level(numel: int) -> None:
    vector, residual = normal(numel, numel), torch.empty(numel)

    Int8().compress(vector, residual)

    assert residual.abs().max() <= vector.abs().max() / 127 / 2 * (1 + 1e-5)


def test_bits_per_parameter() -> None:
    assert Int8().payload_bytes(1000) == 4 + 1000


@given(vectors(3000))
def test_with_several_scales_each_group_is_rounded_by_itself(vector: torch.Tensor) -> None:
    scales, levels = expected_levels(vector.numpy(), 256, 127)

    payload = Int8(values_per_scale=256).compress(vector).payload.numpy()

    assert payload[: 4 * len(scales)].view(np.float32).tolist() == scales.tolist()
    assert payload[4 * len(scales) :].view(np.int8).tolist() == np.concatenate(levels).tolist()


@given(st.integers(1, 9000))
def test_the_error_is_at_most_half_a_level_of_its_group(numel: int) -> None:
    vector, residual = normal(numel, numel), torch.empty(numel)
    vector *= torch.linspace(0.1, 10, numel)

    Int8(values_per_scale=256).compress(vector, residual)

    for error, group in zip(residual.split(256), vector.split(256), strict=True):
        assert error.abs().max() <= group.abs().max() / 127 / 2 * (1 + 1e-4)


def test_a_short_vector_has_one_group_and_the_message_of_a_single_scale() -> None:
    vector = normal(200)

    assert torch.equal(Int8().compress(vector).payload, Int8(values_per_scale=256).compress(vector).payload)


def test_bytes_with_several_scales() -> None:
    assert Int8(values_per_scale=256).payload_bytes(1000) == 4 * 4 + 1000


def test_it_goes_by_its_name_and_options() -> None:
    assert description(Int8()) == {"name": "int8"}
    options = {"name": "int8", "values_per_scale": 256}
    assert description(as_compressor(options)) == options
