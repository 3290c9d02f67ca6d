"""The matrix to which PowerSGD reshapes a gradient, and the thin matrices P and Q whose product approximates it."""

import torch
from torch import Tensor


def matrix_shape(shape: torch.Size) -> tuple[int, int]:
    """Return (rows, columns) of the matrix to which PyTorch's PowerSGD hook reshapes a gradient of this shape."""
    rows = (shape[0] if shape else 1) or 1  # a matrix of no rows has no elements
    return rows, shape.numel() // rows


def factor_shapes(shape: torch.Size, rank: int, min_compression_rate: float) -> tuple[torch.Size, ...]:
    """Return the shapes of PowerSGD's factors P and Q, or () if PyTorch's hook leaves the gradient uncompressed.

    Args:
        shape: The shape of the parameter, whose gradient is approximated as the matrix P·Qᵀ.
        rank: The largest number of columns of P and Q. The number is smaller if the gradient's matrix has fewer rows or
            fewer columns.
        min_compression_rate: The gradient is compressed only if the number of its elements, divided by the number of
            elements of P and Q together, is above this value.
    """
    n, m = matrix_shape(shape)
    rank = min(n, m, rank)
    if (n + m) * rank * min_compression_rate >= n * m:
        return ()
    return torch.Size((n, rank)), torch.Size((m, rank))


def redraw_zero_columns(q: Tensor, step: int) -> None:
    """Replace columns of zeros in Q, because power iteration would keep the zeros.

    The new columns are random, but depend only on ``step``, so that they are the same on every rank.
    """
    is_zero = ~q.any(dim=0)
    if is_zero.any():
        generator = torch.Generator().manual_seed(step)
        q[:, is_zero] = torch.randn(q.shape[0], int(is_zero.sum()), generator=generator).to(q.device)
