"""The chunked DCT against SciPy's, and its inverse."""

import numpy as np
import pytest
import torch
from scipy.fft import dctn

from liecbench.algorithms.dct import ChunkedDct, largest_divisor

SHAPES = [(), (1,), (7,), (100,), (67,), (12, 10), (70, 130), (3, 4, 5), (6, 2, 2, 32), (1000, 768)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_each_chunk_is_transformed_as_scipy_does_it_and_back(shape: tuple[int, ...]) -> None:
    transform = ChunkedDct.of(torch.Size(shape), 64)
    values = torch.randn(transform.numel, generator=torch.Generator().manual_seed(3))
    matrix = values.double().numpy().reshape(shape[0] if shape else 1, -1)
    height, width = (max(d for d in range(1, 65) if side % d == 0) for side in matrix.shape)
    expected = [
        dctn(matrix[row : row + height, column : column + width], norm="ortho").ravel()
        for row in range(0, matrix.shape[0], height)
        for column in range(0, matrix.shape[1], width)
    ]
    coefficients, back = torch.empty_like(values), torch.empty_like(values)

    transform.forward(values, coefficients)
    transform.inverse(coefficients, back)

    assert (transform.height, transform.width, transform.chunk) == (height, width, height * width)
    np.testing.assert_allclose(coefficients.numpy(), np.concatenate(expected), atol=2e-5)
    torch.testing.assert_close(back, values, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(coefficients.norm(), values.norm(), rtol=1e-5, atol=0)


def test_the_largest_divisor_may_be_one() -> None:
    assert [largest_divisor(number, 64) for number in (64, 100, 128, 96, 67)] == [64, 50, 64, 48, 1]
