"""The error of compression relative to the vectors that are compressed."""

from collections.abc import Callable, Iterable

from torch import Tensor

from liecbench.algorithms.memory import square_norm


def relative_square_error(vectors: Iterable[Tensor], keep_residual: Callable[[Tensor], None]) -> float | None:
    """Return the sum of ‖v − C(v)‖² over all vectors v, divided by the sum of ‖v‖². C is the compressor.

    Return None if all vectors are zero.

    Args:
        vectors: The vectors v. Each is overwritten by v − C(v).
        keep_residual: A function that overwrites a vector v by v − C(v).
    """
    residual = total = 0.0
    for vector in vectors:
        total += square_norm(vector)
        keep_residual(vector)
        residual += square_norm(vector)
    return residual / total if total else None
