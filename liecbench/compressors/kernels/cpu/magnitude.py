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
def _float64_magnitude(value):  # type: ignore[no-untyped-def]
    return abs(np.float64(value))


@njit(inline="always")
def _square(value):  # type: ignore[no-untyped-def]
    return value * value


@njit(inline="always")
def _float64_square(value):  # type: ignore[no-untyped-def]
    return np.float64(value) * np.float64(value)


@njit(nogil=True)
def _chunk_sum(values, eighths, buffer):  # type: ignore[no-untyped-def]
    halve_three_times(values, CHUNK // 8, _magnitude, eighths)
    halve_three_times(eighths, CHUNK // 64, unchanged, buffer)
    total = np.float64(sum_of_64(buffer, eighths))
    if total < np.inf:
        return total
    # A float32 sum of finite values may overflow, a float64 sum does not.
    wide, wide_buffer = np.empty(CHUNK // 8), np.empty(CHUNK // 64)
    halve_three_times(values, CHUNK // 8, _float64_magnitude, wide)
    halve_three_times(wide, CHUNK // 64, unchanged, wide_buffer)
    return sum_of_64(wide_buffer, wide)


@njit(nogil=True)
def _chunk_sums(values):  # type: ignore[no-untyped-def]
    """Return the sum of |v| of every chunk of ``CHUNK`` values as float64.

    Each sum is computed in the type of ``values`` or, if it overflows, in float64.
    """
    whole = values.size // CHUNK
    last = np.zeros(CHUNK, values.dtype)
    last[: values.size - whole * CHUNK] = values[whole * CHUNK :]
    sums = np.empty((values.size + CHUNK - 1) // CHUNK, np.float64)
    eighths, buffer = np.empty(CHUNK // 8, values.dtype), np.empty(CHUNK // 64, values.dtype)
    for number in range(sums.size):
        chunk = values[number * CHUNK : (number + 1) * CHUNK] if number < whole else last
        sums[number] = _chunk_sum(chunk, eighths, buffer)
    return sums


@compiled("f4(f4[::1])")
def mean_magnitude(values):  # type: ignore[no-untyped-def]
    """Return the mean of |v| over ``values``, which is finite if all values are finite.

    Each chunk of ``CHUNK`` values is summed in float32, because this vectorises. The sums of the chunks are added in
    float64.
    """
    sums = _chunk_sums(values)
    while sums.size > 1:
        sums = _chunk_sums(sums)
    return np.float32(sums[0] / values.size)


@njit(nogil=True)
def _chunk_sum_of_squares(values, eighths, buffer):  # type: ignore[no-untyped-def]
    halve_three_times(values, CHUNK // 8, _square, eighths)
    halve_three_times(eighths, CHUNK // 64, unchanged, buffer)
    total = np.float64(sum_of_64(buffer, eighths))
    if SMALLEST_SQUARES < total < np.inf:
        return total
    # Float32 squares may overflow or underflow, float64 squares do not.
    wide, wide_buffer = np.empty(CHUNK // 8), np.empty(CHUNK // 64)
    halve_three_times(values, CHUNK // 8, _float64_square, wide)
    halve_three_times(wide, CHUNK // 64, unchanged, wide_buffer)
    return sum_of_64(wide_buffer, wide)


@compiled("f4(f4[::1])")
def root_mean_square(values):  # type: ignore[no-untyped-def]
    """Return √(mean v²) over ``values``, which is finite if all values are finite.

    Each chunk of ``CHUNK`` squares is summed in float32, or in float64 if they leave float32's range. The sums of the
    chunks are added in float64.
    """
    whole = values.size // CHUNK
    last = np.zeros(CHUNK, np.float32)
    last[: values.size - whole * CHUNK] = values[whole * CHUNK :]
    sums = np.empty((values.size + CHUNK - 1) // CHUNK, np.float64)
    eighths, buffer = np.empty(CHUNK // 8, np.float32), np.empty(CHUNK // 64, np.float32)
    for number in range(sums.size):
        chunk = values[number * CHUNK : (number + 1) * CHUNK] if number < whole else last
        sums[number] = _chunk_sum_of_squares(chunk, eighths, buffer)
    while sums.size > 1:
        sums = _chunk_sums(sums)
    return np.float32(math.sqrt(sums[0] / values.size))


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
    """Return max|v|, which is not finite if any value is not finite.

    Magnitudes keep their order when their bits are read as integers, and NaN is then larger than infinity.
    """
    return np.int32(largest_bits(values.view(np.int32))).view(np.float32)
