"""CPU kernels of the compressor Int4.

A level is an integer from −7 to 7 and is stored as level + 8 in half a byte. In a group of m levels, byte j holds level
j in its lower half, and level ⌈m/2⌉ + j in its upper half, or 0 if there is no such level. In this layout every loop
runs over adjacent elements and vectorises.
"""

import numpy as np
from numba import njit

from liecbench.compressors.kernels.cpu.int8 import scale_of_group, write_levels
from liecbench.compressors.kernels.cpu.jit import compiled

LARGEST_LEVEL = np.float32(7)
OFFSET = 8


@njit(nogil=True)
def _pack(levels, packed):  # type: ignore[no-untyped-def]
    low, high = levels[: packed.size], levels[packed.size : 2 * packed.size]
    for j in range(packed.size):
        upper = np.uint8(np.uint8(high[j] + np.int8(OFFSET)) << np.uint8(4))
        packed[j] = np.uint8(np.uint8(low[j] + np.int8(OFFSET)) | upper)


@compiled("void(f4[::1], i8, f4[::1], u1[::1], f4[::1], b1, b1)")
def encode(values, group, scales, packed, residual, has_residual, in_place):  # type: ignore[no-untyped-def]
    """Quantize ``values`` to 4-bit levels, with one scale for each group of ``group`` adjacent values.

    A level is value / scale, rounded to an integer from −7 to 7. The scales are written to ``scales``, and the levels
    to ``packed``, two per byte.

    If ``has_residual``, also write value − level · scale: to ``values`` itself if ``in_place``, else to ``residual``.
    """
    levels = np.empty(group, np.int8)
    for number in range(scales.size):
        start, end = number * group, min((number + 1) * group, values.size)
        part, half = values[start:end], start // 2
        scale = scale_of_group(part, LARGEST_LEVEL)
        scales[number] = scale
        if part.size < group:
            levels[part.size] = -OFFSET
        write_levels(part, scale, LARGEST_LEVEL, levels, residual[start:end], has_residual, in_place)
        _pack(levels, packed[half : half + (part.size + 1) // 2])


@njit(nogil=True)
def _unpack(packed, scale, low, high):  # type: ignore[no-untyped-def]
    for j in range(low.size):
        low[j] = np.float32(np.int32(packed[j] & np.uint8(15)) - OFFSET) * scale
    for j in range(high.size):
        high[j] = np.float32(np.int32(packed[j] >> np.uint8(4)) - OFFSET) * scale


@njit(nogil=True)
def _unpack_add(packed, scale, low, high):  # type: ignore[no-untyped-def]
    for j in range(low.size):
        low[j] += np.float32(np.int32(packed[j] & np.uint8(15)) - OFFSET) * scale
    for j in range(high.size):
        high[j] += np.float32(np.int32(packed[j] >> np.uint8(4)) - OFFSET) * scale


@compiled("void(f4[::1], u1[::1], i8, f8, f4[::1], b1)")
def decode(scales, packed, group, weight, out, accumulate):  # type: ignore[no-untyped-def]
    """Decode a message: write ``weight`` · scale · level of each element to ``out``.

    If ``accumulate``, add the products to ``out`` instead. ``packed`` holds two levels per byte. Each run of ``group``
    adjacent elements shares one of the ``scales``.
    """
    for number in range(scales.size):
        start, end = number * group, min((number + 1) * group, out.size)
        middle = start + (end - start + 1) // 2
        low, high = out[start:middle], out[middle:end]
        scale = np.float32(np.float64(scales[number]) * weight)
        part = packed[start // 2 : start // 2 + low.size]
        if accumulate:
            _unpack_add(part, scale, low, high)
        else:
            _unpack(part, scale, low, high)
