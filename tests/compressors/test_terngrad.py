import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from liecbench.compressors import RngKey, TernGrad
from tests.compressors.codecs.test_ternary import unpacked_by_division
from tests.compressors.vectors import normal

lengths = st.integers(1, 5000)


@given(lengths)
def test_a_message_is_the_largest_magnitude_and_signs_of_the_vector_or_zero(numel: int) -> None:
    values = normal(numel, numel).numpy()

    payload = TernGrad().compress(torch.from_numpy(values)).payload.numpy()

    signs = unpacked_by_division(payload[4:], numel)
    assert payload[:4].view(np.float32)[0] == np.abs(values).max()
    assert np.all((signs == 0) | (signs == np.sign(values)))
    assert signs[np.abs(values).argmax()] != 0


@pytest.mark.parametrize("scale", [1e-40, 1.0, 1e38])
def test_it_is_unbiased_with_the_variance_of_its_definition(scale: float) -> None:
    vector, draws = normal(700).clamp(-3, 3) * scale, 2000
    total = torch.zeros(700, dtype=torch.float64)
    for step in range(draws):
        bound = TernGrad().with_rng(RngKey(step=step))
        total += bound.decompress(bound.compress(vector))
    most, exact = float(vector.abs().max()), vector.double()

    deviation = (exact.abs() * (most - exact.abs()) / draws).sqrt()
    scores = (total / draws - exact)[deviation > 0] / deviation[deviation > 0]

    assert scores.abs().max() < 6
    assert abs(scores.square().mean() - 1) < 0.4


def test_less_than_two_bits_per_parameter() -> None:
    assert [TernGrad().payload_bytes(numel) for numel in (1, 5, 6, 11_171_146)] == [5, 5, 6, 4 + 2_234_230]
    assert math.isclose(TernGrad().payload_bytes(11_171_146) * 8 / 11_171_146, 1.6, abs_tol=1e-5)
