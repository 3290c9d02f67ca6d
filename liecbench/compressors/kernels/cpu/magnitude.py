"""CPU kernels that look at a vector's magnitudes before it is compressed."""

import numpy as np
from numba import njit

from liecbench.compressors.kernels.cpu.jit import compiled
from liecbench.compressors.kernels.cpu.summation import add_eighths, itself, sum_of_64

CHUNK = 4096


@njit(inline="always")
def _magnitude(value):  # type: ignore[no-untyped-def]
    return abs(value)


@njit(nogil=True)
def _chunk_sum(values, sums, room):  # type: ignore[no-untyped-def]
    add_eighths(values, CHUNK // 8, _magnitude, sums)
    add_eighths(sums, CHUNK // 64, itself, room)
    return np.float64(sum_of_64(room, sums))


@njit(nogil=True)
def _chunk_sums(values):  # type: ignore[no-untyped-def]
    """Σ|v| of every chunk, in the type of ``values``, as float64."""
    whole = values.size // CHUNK
    last = np.zeros(CHUNK, values.dtype)
    last[: values.size - whole * CHUNK] = values[whole * CHUNK :]
    sums = np.empty((values.size + CHUNK - 1) // CHUNK, np.float64)
    eighths, room = np.empty(CHUNK // 8, values.dtype), np.empty(CHUNK // 64, values.dtype)
    for number in range(sums.size):
        chunk = values[number * CHUNK : (number + 1) * CHUNK] if number < whole else last
        sums[number] = _chunk_sum(chunk, eighths, room)
    return sums


@compiled("f4(f4[::1])")
def mean_magnitude(values):  # type: ignore[no-untyped-def]
    """mean|v|: the sums of chunks in float32, so that they vectorise, and in float64 the sums of chunks of those."""
    sums = _chunk_sums(values)
    while sums.size > 1:
        sums = _chunk_sums(sums)
    return np.float32(sums[0] / values.size)


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
