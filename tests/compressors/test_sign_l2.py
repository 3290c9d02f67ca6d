import numpy as np
import pytest
import torch
from hypothesis import given

from liecbench.algorithms import CSGD, LIEC, MemSGD
from liecbench.compressors import Sign, SignL2
from tests.compressors.vectors import normal, vectors


@given(vectors(9000))
def test_the_norm_is_kept(vector: torch.Tensor) -> None:
    values = vector.double()
    message = SignL2().compress(vector)

    sent = SignL2().decompress(message).double()

    assert message.payload[4:].tolist() == Sign().compress(vector).payload[4:].tolist()
    # A scale that is denormal is rounded by up to half of 2⁻¹⁴⁹.
    atol = 2.0**-150 * vector.numel() ** 0.5 if vector.abs().max() < 1e-37 else 0.0
    np.testing.assert_allclose(float(sent.norm()), float(values.norm()), rtol=1e-6, atol=atol)


@pytest.mark.parametrize("numel", [7, 4096, 100_000])
def test_the_error_is_that_of_the_definition(numel: int) -> None:
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
def test_methods_with_an_error_memory_refuse_it_and_say_what_to_take(method: type[MemSGD]) -> None:
    with pytest.raises(ValueError, match=r"is none: its scale .* take sign, .* or onebit_adam"):
        method(compressor=SignL2())
    assert CSGD(compressor=SignL2()).compressor == SignL2()
