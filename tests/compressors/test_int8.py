import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from liecbench.compressors import Int8
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
