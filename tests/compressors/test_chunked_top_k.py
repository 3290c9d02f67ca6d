import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from liecbench.compressors import ChunkedTopK
from liecbench.compressors.by_name import as_compressor, description
from tests.compressors.vectors import normal, vectors


def kept_by_chunk(vector: np.ndarray, chunk: int, kept: int) -> np.ndarray:
    """Return a mask of the entries that a stable sort by magnitude puts first in each chunk."""
    mask = np.zeros(vector.size, bool)
    for start in range(0, vector.size, chunk):
        order = np.argsort(-np.abs(vector[start : start + chunk]), kind="stable")
        mask[start + order[:kept]] = True
    return mask


def bin_means(values: np.ndarray) -> np.ndarray:
    """Return the values, each replaced by the mean of its bin; 0 and ± the mean magnitude divide the bins."""
    spread = np.float32(np.abs(values.astype(np.float64)).mean())
    bins = 2 * (values >= 0) + (np.abs(values) > spread)
    means = [values[bins == one].astype(np.float64).mean() if (bins == one).any() else 0 for one in range(4)]
    replaced: np.ndarray = np.array(means)[bins]
    return replaced


@pytest.mark.parametrize(("chunk", "kept"), [(4096, 64), (100, 7), (16, 16)])
@given(vector=vectors(9000))
@settings(max_examples=15)
def test_the_largest_of_each_chunk_become_the_means_of_their_bins(chunk: int, kept: int, vector: torch.Tensor) -> None:
    values, compressor = vector.numpy(), ChunkedTopK(chunk=chunk, kept=kept)
    mask = kept_by_chunk(values, chunk, kept)
    expected = np.zeros(values.size)
    expected[mask] = bin_means(values[mask])

    actual = compressor.decompress(compressor.compress(vector)).numpy()

    # The mean magnitude is a float32, which denormal values round by a whole step of 2⁻¹⁴⁹.
    np.testing.assert_allclose(actual, expected, rtol=2e-6, atol=2.0**-149 * mask.sum())


@given(vector=vectors(9000))
@settings(max_examples=15)
def test_values_of_32_bits_are_sent_exactly(vector: torch.Tensor) -> None:
    compressor, residual = ChunkedTopK(chunk=512, kept=5, bits=32), torch.empty_like(vector)
    mask = torch.from_numpy(kept_by_chunk(vector.numpy(), 512, 5))

    sent = compressor.decompress(compressor.compress(vector, residual))

    assert torch.equal(sent, torch.where(mask, vector, 0))
    assert torch.equal(residual, torch.where(mask, 0, vector))


def test_all_entries_in_32_bits_are_the_vector() -> None:
    compressor, vector = ChunkedTopK(kept=4096, bits=32), normal(10_000)

    message = compressor.compress(vector)

    assert message.payload_bytes == 4 * 10_000
    assert torch.equal(compressor.decompress(message), vector)


def test_a_chunk_takes_112_bytes_and_a_message_16_more() -> None:
    compressor = ChunkedTopK()

    # Of 100 entries, 64 are sent with positions of 12 bits. Of 30, all are sent, in order.
    assert compressor.payload_bytes(1000 * 4096) == 112 * 1000 + 16
    assert compressor.payload_bytes(3 * 4096 + 100) == 112 * 4 + 16
    assert compressor.payload_bytes(3 * 4096 + 30) == 112 * 3 + 16 + 8
    assert 4 * 4096 * 1000 / compressor.payload_bytes(1000 * 4096) == pytest.approx(146, abs=0.5)


@given(vector=vectors(9000), kept=st.integers(1, 64))
@settings(max_examples=30)
def test_it_is_a_contraction(vector: torch.Tensor, kept: int) -> None:
    vector = vector.double().mul(1e-10 if vector.abs().max() > 1e9 else 1.0).float()
    coded, exact = ChunkedTopK(chunk=64, kept=kept), ChunkedTopK(chunk=64, kept=kept, bits=32)
    for compressor, delta in ((coded, 1 / vector.numel()), (exact, kept / 64)):
        residual = torch.empty_like(vector)
        compressor.compress(vector, residual)

        errors, squares = residual.double().square().sum(), vector.double().square().sum()
        if squares > 1e-70:
            assert errors <= (1 - delta) * squares * (1 + 1e-5)


def test_of_gaussian_values_two_bits_keep_most_of_what_the_largest_hold() -> None:
    vector = normal(64 * 4096)
    lost = []
    for compressor in (ChunkedTopK(bits=32), ChunkedTopK()):
        residual = torch.empty_like(vector)
        compressor.compress(vector, residual)
        lost.append(float(residual.square().sum() / vector.square().sum()))

    assert lost[0] < lost[1] < lost[0] + 0.002


def test_nan_with_all_bits_set_is_kept() -> None:
    vector = normal(5000)
    vector[17:117] = torch.tensor(0x7FFFFFFF, dtype=torch.int32).view(torch.float32)

    sent = ChunkedTopK(bits=32).decompress(ChunkedTopK(bits=32).compress(vector))

    assert sent[17 : 17 + 64].isnan().all()
    assert not sent[17 + 64 : 4096].any()


def test_kept_is_at_most_chunk() -> None:
    with pytest.raises(ValueError, match="kept is 65, more than the 64 entries of a chunk; set at most 64"):
        ChunkedTopK(chunk=64, kept=65)
    with pytest.raises(ValidationError, match="less than or equal to 4096"):
        ChunkedTopK(chunk=4097)


def test_it_goes_by_its_name_and_options() -> None:
    options = {"name": "chunked_top_k", "chunk": 64, "kept": 2, "bits": 32}

    assert description(as_compressor(options)) == options
