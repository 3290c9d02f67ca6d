"""CPU kernels for the mean, the root mean square and the largest magnitude of a vector."""

import math

import numpy as np
from numba import njit

from liecbench.compressors.kernels.cpu.jit import compiled
from liecbench.compressors.kernels.cpu.summation import halve_three_times, sum_of_64, unchanged

CHUNK = 4096
# A smaller float32 sum of squares may have lost squares to underflow.
SMALLEST_SQUARES = 1e-30


@njit(inline="always")
def _magnitude(value):  # type: ignore[no-untyped-def]
    return abs(value)


@njit(inline="always")
def _square(value):  # type: ignore[no-untyped-def]
    return value * value


@njit(inline="always")
def _chunk_sum(values, term, smallest, eighths, buffer):  # type: ignore[no-untyped-def]
    halve_three_times(values, CHUNK // 8, term, eighths)
    halve_three_times(eighths, CHUNK // 64, unchanged, buffer)
    total = np.float64(sum_of_64(buffer, eighths))
    if smallest < total < np.inf:
        return total
    # Float32 magnitudes and squares may overflow, and squares underflow; in float64 they do not.
    wide, wide_buffer = np.empty(CHUNK // 8), np.empty(CHUNK // 64)
    halve_three_times(values.astype(np.float64), CHUNK // 8, term, wide)
    halve_three_times(wide, CHUNK // 64, unchanged, wide_buffer)
    return sum_of_64(wide_buffer, wide)


@njit(inline="always")
def _chunk_sums(values, term, smallest):  # type: ignore[no-untyped-def]
    """Return the sum of ``term(value)`` over each chunk of ``CHUNK`` values, as a float64 array with one sum per chunk.

    The last chunk is padded with zeros. A sum is computed in the type of ``values``. If the sum is then not finite, or
    not above ``smallest``, the sum is computed again in float64.
    """
    whole = values.size // CHUNK
    last = np.zeros(CHUNK, values.dtype)
    last[: values.size - whole * CHUNK] = values[whole * CHUNK :]
    sums = np.empty((values.size + CHUNK - 1) // CHUNK, np.float64)
    eighths, buffer = np.empty(CHUNK // 8, values.dtype), np.empty(CHUNK // 64, values.dtype)
    for number in range(sums.size):
        chunk = values[number * CHUNK : (number + 1) * CHUNK] if number < whole else last
        sums[number] = _chunk_sum(chunk, term, smallest, eighths, buffer)
    return sums


@njit(inline="always")
def _mean(values, term, smallest):  # type: ignore[no-untyped-def]
    sums = _chunk_sums(values, term, smallest)
    while sums.size > 1:
        sums = _chunk_sums(sums, _magnitude, -1.0)
    return sums[0] / values.size


@compiled("f4(f4[::1])")
def mean_magnitude(values):  # type: ignore[no-untyped-def]
    """Return the mean of |v| over ``values``. This mean is finite if all values are finite.

    Each chunk of ``CHUNK`` values is summed in float32, because this vectorises. The sums of the chunks are added in
    float64.
    """
    return np.float32(_mean(values, _magnitude, -1.0))


@compiled("f4(f4[::1])")
def root_mean_square(values):  # type: ignore[no-untyped-def]
    """Return √(mean v²) over ``values``. This root is finite if all values are finite.

    The squares of each chunk of ``CHUNK`` values are summed in float32. A sum that is not finite or is at most
    ``SMALLEST_SQUARES`` is computed again in float64. The sums of the chunks are added in float64.
    """
    return np.float32(math.sqrt(_mean(values, _square, SMALLEST_SQUARES)))


@njit(nogil=True)
def largest_bits(bits):  # type: ignore[no-untyped-def]
    """Return the bits of the largest magnitude of float32 values, given the values' bits; called by kernels."""
    largest = np.int32(0)
    for i in range(bits.size):
        magnitude = np.int32(bits[i] & np.int32(0x7FFFFFFF))
        largest = magnitude if magnitude > largest else largest
    return largest


@compiled("f4(f4[::1])")
def largest_magnitude(values):  # type: ignore[no-untyped-def]
    """Return max|v| over ``values``. This maximum is not finite if any value is not finite."""
    # Magnitudes keep their order when their bits are read as integers, and NaN is then larger than infinity.
    return np.int32(largest_bits(values.view(np.int32))).view(np.float32)
