import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from liecbench.algorithms import CSGD, LIEC, MemSGD
from liecbench.compressors import Sign, SignL2
from tests.compressors.vectors import normal, vectors

lengths = st.integers(1, 20_000)


def random(numel: int) -> torch.Tensor:
    return torch.randn(numel, generator=torch.Generator().manual_seed(numel))


@given(lengths)
def test_a_message_is_a_scale_and_packed_bits(numel: int) -> None:
    vector = random(numel)
    values = vector.numpy()
    scale = np.abs(values.astype(np.float64)).mean()
    bits = np.packbits(values >= 0, bitorder="little")

    payload = Sign().compress(vector).payload.numpy()

    assert payload[4:].tobytes() == bits.tobytes()
    assert abs(payload[:4].view(np.float32)[0] / scale - 1) < 1e-6


def halved(terms: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the sum over the last axis: its upper half is added to its lower half until one entry is left."""
    while terms.shape[-1] > 1:
        half = terms.shape[-1] // 2
        terms = terms[..., :half] + terms[..., half:]
    return terms[..., 0]


def chunk_sums(terms: NDArray[np.floating]) -> NDArray[np.floating]:
    return halved(np.pad(terms, (0, -len(terms) % 4096)).reshape(-1, 4096))


@pytest.mark.parametrize("numel", [1, 63, 64, 65, 511, 4095, 4096, 4097, 5000, 1_000_003, 4096 * 4096 + 4097])
def test_the_scale_is_summed_in_the_documented_order(numel: int) -> None:
    vector = random(numel)
    sums: NDArray[np.floating] = chunk_sums(vector.abs().numpy()).astype(np.float64)
    while len(sums) > 1:
        sums = chunk_sums(sums)

    assert np.float32(sums[0] / numel) == Sign().compress(vector).payload[:4].view(torch.float32).item()


@given(lengths)
def test_the_contraction_is_that_of_the_definition(numel: int) -> None:
    vector = random(numel).double()
    residual = torch.empty(numel)
    Sign().compress(vector.float(), residual)
    expected = float(vector.abs().sum() ** 2 / (numel * vector.square().sum()))

    actual = 1 - float(residual.double().square().sum() / vector.square().sum())

    assert abs(actual - expected) < 1e-5


def test_both_zeros_are_positive() -> None:
    vector = torch.tensor([0.0, -0.0, -3.0])

    assert Sign().decompress(Sign().compress(vector)).tolist() == [1.0, 1.0, -1.0]


def test_one_bit_per_parameter() -> None:
    assert [Sign().payload_bytes(numel) for numel in (1, 8, 9, 11_171_146)] == [5, 5, 6, 1_396_398]


@given(vectors(9000))
def test_sign_l2_keeps_the_norm(vector: torch.Tensor) -> None:
    values = vector.double()
    message = SignL2().compress(vector)

    sent = SignL2().decompress(message).double()

    assert message.payload[4:].tolist() == Sign().compress(vector).payload[4:].tolist()
    # A scale that is denormal is rounded by up to half of 2⁻¹⁴⁹.
    atol = 2.0**-150 * vector.numel() ** 0.5 if vector.abs().max() < 1e-37 else 0.0
    np.testing.assert_allclose(float(sent.norm()), float(values.norm()), rtol=1e-6, atol=atol)


@pytest.mark.parametrize("numel", [7, 4096, 100_000])
def test_the_error_of_sign_l2_is_that_of_the_definition(numel: int) -> None:
    vector, residual = normal(numel), torch.empty(numel)
    values = vector.double()
    expected = 2 * (1 - values.abs().sum() / (numel**0.5 * values.norm()))

    SignL2().compress(vector, residual)

    assert float(residual.double().square().sum() / values.square().sum()) == pytest.approx(float(expected), rel=1e-5)


def test_of_gaussian_entries_the_relative_squared_error_is_0_404() -> None:
    vector, residual = normal(10**6), torch.empty(10**6)

    SignL2().compress(vector, residual)

    # 2 (1 − √(2/π)) = 0.40423
    assert float(residual.square().sum() / vector.square().sum()) == pytest.approx(0.40423, abs=1e-3)


def test_a_vector_of_few_large_entries_gives_an_error_larger_than_itself() -> None:
    vector, residual = torch.zeros(100), torch.empty(100)
    vector[3] = 10.0

    SignL2().compress(vector, residual)

    # ‖v‖₁ = 10 < ½ · 10 · 10: the scale is 1, the error (10 − 1)² + 99.
    assert float(residual.square().sum()) == pytest.approx(180)


@pytest.mark.parametrize("method", [MemSGD, LIEC])
def test_methods_with_an_error_memory_refuse_sign_l2_and_say_what_to_take(method: type[MemSGD]) -> None:
    with pytest.raises(ValueError, match=r"is none: its scale .* take sign, .* or onebit_adam"):
        method(compressor=SignL2())
    assert CSGD(compressor=SignL2()).compressor == SignL2()
