import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from liecbench.compressors import QSGD, RngKey
from tests.compressors.vectors import normal

levels = st.sampled_from([1, 2, 3, 7, 8, 100, 127])


def width(most: int) -> int:
    return math.ceil(math.log2(2 * most + 1))


def read(payload: NDArray[np.uint8], numel: int, most: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the norms and the levels of a message, read bit by bit."""
    buckets = -(-numel // 512)
    norms, packed, found = payload[: 4 * buckets].view(np.float32), payload[4 * buckets :], []
    for bucket in range(buckets):
        size = min(512, numel - 512 * bucket)
        words = -(-size // 8)
        start = bucket * 64 * width(most)
        part = packed[start : start + words * width(most)].reshape(width(most), words)
        bits = np.unpackbits(part.T.copy(), axis=1, bitorder="little").reshape(words, 8, width(most))
        codes = (bits.astype(np.int64) << np.arange(width(most))).sum(2)
        found.append(codes.T.flatten()[:size] - most)
    return norms, np.concatenate(found)


@given(st.integers(1, 3000), levels)
def test_a_message_is_norms_and_levels_rounded_up_or_down(numel: int, most: int) -> None:
    values = normal(numel, numel).numpy()
    buckets = np.split(values.astype(np.float64), range(512, numel, 512))

    norms, found = read(QSGD(most).compress(torch.from_numpy(values)).payload.numpy(), numel, most)

    np.testing.assert_allclose(norms, [np.linalg.norm(bucket) for bucket in buckets], rtol=1e-6)
    exact = values * most / norms.repeat(512)[:numel]
    assert np.abs(found - exact).max() < 1 + 1e-4
    assert np.abs(found).max() <= most


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_norms_are_summed_in_the_documented_order(scale: float) -> None:
    vector = normal(1300) * scale
    # Squares that float32 cannot hold are summed in float64.
    values = np.pad(vector.numpy(), (0, 236)).reshape(3, 512)
    terms: NDArray[np.floating] = (values if scale == 1 else values.astype(np.float64)) ** 2
    while terms.shape[1] > 1:
        terms = terms[:, : terms.shape[1] // 2] + terms[:, terms.shape[1] // 2 :]

    norms, _ = read(QSGD().compress(vector).payload.numpy(), 1300, 7)

    assert np.sqrt(terms[:, 0].astype(np.float64)).astype(np.float32).tolist() == norms.tolist()


@given(st.integers(1, 3000), levels)
def test_decompressed_values_are_norm_times_level(numel: int, most: int) -> None:
    message = QSGD(most).compress(normal(numel, numel))
    norms, found = read(message.payload.numpy(), numel, most)

    actual = QSGD(most).decompress(message).numpy()

    np.testing.assert_allclose(actual, found * norms.repeat(512)[:numel] / most, rtol=1e-6)


@pytest.mark.parametrize("most", [1, 7, 127])
@pytest.mark.parametrize("scale", [1e-38, 1.0, 1e30])
def test_it_is_unbiased_with_the_variance_of_stochastic_rounding(most: int, scale: float) -> None:
    vector, draws = normal(700) * scale, 2000
    total = torch.zeros(700, dtype=torch.float64)
    for step in range(draws):
        bound = QSGD(most).with_rng(RngKey(step=step))
        total += bound.decompress(bound.compress(vector))
    norms = torch.cat([part.double().norm().expand(part.numel()) for part in vector.split(512)])

    exact = vector.double().abs() * most / norms
    deviation = ((exact - exact.floor()) * (1 - (exact - exact.floor())) / draws).sqrt() * norms / most
    scores = (total / draws - vector.double())[deviation > 0] / deviation[deviation > 0]

    assert scores.abs().max() < 6
    assert abs(scores.square().mean() - 1) < 0.4


def test_norms_beyond_float32_become_its_largest() -> None:
    message = QSGD().compress(torch.full((512,), 3e38))

    assert message.payload[:4].view(torch.float32).item() == torch.finfo(torch.float32).max
    assert QSGD().is_finite(message)


def test_the_only_entry_of_a_bucket_is_exact() -> None:
    vector = torch.zeros(600)
    vector[[3, 550]] = torch.tensor([-0.7, 2.0])

    torch.testing.assert_close(QSGD().decompress(QSGD().compress(vector)), vector, rtol=1e-6, atol=0)


def test_four_bits_per_parameter_and_a_norm_per_512() -> None:
    assert [QSGD().payload_bytes(numel) for numel in (1, 512, 513)] == [8, 260, 268]
    assert [QSGD(s).payload_bytes(2**20) * 8 / 2**20 for s in (1, 7, 127)] == [2 + 1 / 16, 4 + 1 / 16, 8 + 1 / 16]


@pytest.mark.parametrize("most", [0, 128])
def test_levels_outside_1_to_127_are_refused(most: int) -> None:
    with pytest.raises(ValidationError, match="than or equal to 1"):
        QSGD(most)
