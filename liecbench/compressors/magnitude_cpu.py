"""CPU kernels that look at a vector's magnitudes before it is compressed."""

import numpy as np
from numba import njit

from liecbench.compressors.kernels import compiled

_CHUNK = 4096


@njit(fastmath={"reassoc", "nsz", "contract"}, nogil=True)
def _chunk_sum(values):  # type: ignore[no-untyped-def]
    total = np.float32(0.0)
    for i in range(values.size):
        total += abs(values[i])
    return total


@compiled("f4(f4[::1])")
def mean_magnitude(values):  # type: ignore[no-untyped-def]
    """mean|v|: float32 within chunks, so that it vectorises, float64 across them."""
    total = 0.0
    for start in range(0, values.size, _CHUNK):
        total += _chunk_sum(values[start : start + _CHUNK])
    return np.float32(total / values.size)


@njit(nogil=True)
def largest_bits(bits):  # type: ignore[no-untyped-def]
    """The largest magnitude of float32 seen as int32, for kernels to call."""
    largest = np.int32(0)
    for i in range(bits.size):
        magnitude = np.int32(bits[i] & np.int32(0x7FFFFFFF))
        largest = magnitude if magnitude > largest else largest
    return largest


@compiled("f4(f4[::1])")
def largest_magnitude(values):  # type: ignore[no-untyped-def]
    """max|v|; not finite where any value is: as integers magnitudes keep their order, and NaN ranks above infinity."""
    return np.int32(largest_bits(values.view(np.int32))).view(np.float32)
