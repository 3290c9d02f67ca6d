import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from liecbench.compressors import RngKey, TernGrad
from liecbench.compressors.kernels.cpu import ternary as trits_cpu
from tests.compressors.vectors import normal

lengths = st.integers(1, 5000)


def random_signs(numel: int) -> NDArray[np.int8]:
    return np.random.default_rng(numel).integers(-1, 2, numel, dtype=np.int8)


def packed(signs: NDArray[np.int8]) -> NDArray[np.uint8]:
    room = np.empty(trits_cpu.packed_bytes(signs.size), np.uint8)
    trits_cpu.pack_trits(signs, room)
    return room


def read(room: NDArray[np.uint8], numel: int) -> NDArray[np.int64]:
    """Signs by division."""
    groups = []
    for start in range(0, numel, 1280):
        columns = -(-min(1280, numel - start) // 5)
        bytes_ = room[start // 5 : start // 5 + columns].astype(np.int64)
        groups.append(np.concatenate([bytes_ // 3**power % 3 - 1 for power in range(5)])[: numel - start])
    return np.concatenate(groups)


@given(lengths)
def test_packed_signs_are_digits_of_base_3(numel: int) -> None:
    signs = random_signs(numel)

    assert read(packed(signs), numel).tolist() == signs.tolist()


@given(lengths)
def test_signs_come_back(numel: int) -> None:
    signs = random_signs(numel)
    written, added = np.empty(numel, np.float32), np.ones(numel, np.float32)

    trits_cpu.unpack_trits(packed(signs), 0.5, written)
    trits_cpu.unpack_trits_add(packed(signs), 0.5, added)

    assert written.tolist() == (signs * 0.5).tolist()
    assert added.tolist() == (1 + signs * 0.5).tolist()


@given(lengths)
def test_a_message_is_the_largest_magnitude_and_signs_of_the_vector_or_0(numel: int) -> None:
    values = normal(numel, numel).numpy()

    payload = TernGrad().compress(torch.from_numpy(values)).payload.numpy()

    signs = read(payload[4:], numel)
    assert payload[:4].view(np.float32)[0] == np.abs(values).max()
    assert np.all((signs == 0) | (signs == np.sign(values)))
    assert signs[np.abs(values).argmax()] != 0


@pytest.mark.parametrize("scale", [1e-40, 1.0, 1e38])
def test_unbiased_with_the_variance_of_its_definition(scale: float) -> None:
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


def test_less_than_two_bits_a_parameter() -> None:
    assert [TernGrad().payload_bytes(numel) for numel in (1, 5, 6, 11_171_146)] == [5, 5, 6, 4 + 2_234_230]
    assert math.isclose(TernGrad().payload_bytes(11_171_146) * 8 / 11_171_146, 1.6, abs_tol=1e-5)
