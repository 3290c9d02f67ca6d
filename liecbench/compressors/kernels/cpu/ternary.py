"""Signs −1, 0 and 1, five a byte: 1.6 bits each, against log₂ 3 = 1.585.

Signs are packed in groups of 1280, the last one shorter. A group of m signs is 5 columns of w = ⌈m/5⌉: sign c·w + j is
in column c, and byte j is Σ_c 3^c · (1 + sign c·w + j). So all loops run over neighbours and vectorise.
"""

import numpy as np
from numba import njit

from liecbench.compressors.kernels.cpu.jit import compiled

GROUP = 1280
_COLUMNS = 5


def packed_bytes(numel: int) -> int:
    """Bytes of ``numel`` packed signs."""
    return -(-numel // _COLUMNS)


@njit(nogil=True)
def pack_group(signs, count, packed):  # type: ignore[no-untyped-def]
    """One group of ``count`` signs, whose room goes on with enough zeros to make columns equal; for kernels to call."""
    width = (count + _COLUMNS - 1) // _COLUMNS
    for j in range(width):
        packed[j] = np.uint8(0)
    for column in range(_COLUMNS - 1, -1, -1):
        part = signs[column * width : (column + 1) * width]
        for j in range(width):
            packed[j] = np.uint8(np.int32(3) * np.int32(packed[j]) + np.int32(1) + np.int32(part[j]))


@compiled("void(i1[::1], u1[::1])")
def pack_trits(signs, packed):  # type: ignore[no-untyped-def]
    """Signs −1, 0 and 1 into ``packed_bytes`` bytes."""
    group = np.empty(GROUP, np.int8)
    for start in range(0, signs.size, GROUP):
        count = min(GROUP, signs.size - start)
        for i in range(GROUP):
            group[i] = signs[start + i] if i < count else 0
        pack_group(group, count, packed[start // _COLUMNS :])


@njit(nogil=True)
def _take_lowest(left, signs):  # type: ignore[no-untyped-def]
    """The sign of the lowest power of 3 in every byte, which it leaves without it."""
    for j in range(signs.size):
        third = np.uint8((np.int32(left[j]) * np.int32(171)) >> np.int32(9))
        signs[j] = np.int8(np.int32(left[j]) - np.int32(3) * np.int32(third) - np.int32(1))
        left[j] = third


@njit(nogil=True)
def _unpack_group(packed, start, count, left, signs):  # type: ignore[no-untyped-def]
    width = (count + _COLUMNS - 1) // _COLUMNS
    first = start // _COLUMNS
    for j in range(width):
        left[j] = packed[first + j]
    for column in range(_COLUMNS):
        _take_lowest(left, signs[column * width : (column + 1) * width])


@compiled("void(u1[::1], f4, f4[::1])")
def unpack_trits(packed, scale, out):  # type: ignore[no-untyped-def]
    """``scale`` · sign into ``out``."""
    left, signs = np.empty(GROUP // _COLUMNS, np.uint8), np.empty(GROUP, np.int8)
    for start in range(0, out.size, GROUP):
        group = out[start : start + GROUP]
        _unpack_group(packed, start, group.size, left, signs)
        for i in range(group.size):
            group[i] = np.float32(signs[i]) * scale


@compiled("void(u1[::1], f4, f4[::1])")
def unpack_trits_add(packed, scale, out):  # type: ignore[no-untyped-def]
    """``scale`` · sign added to ``out``."""
    left, signs = np.empty(GROUP // _COLUMNS, np.uint8), np.empty(GROUP, np.int8)
    for start in range(0, out.size, GROUP):
        group = out[start : start + GROUP]
        _unpack_group(packed, start, group.size, left, signs)
        for i in range(group.size):
            group[i] += np.float32(signs[i]) * scale
