"""CPU kernels for signs −1, 0 and 1 packed five per byte; ``codecs/ternary.py`` describes the layout."""

import numpy as np
from numba import njit

from liecbench.compressors.kernels.cpu.jit import compiled
from liecbench.compressors.kernels.layout import COLUMNS, GROUP


@njit(nogil=True)
def pack_group(signs, count, packed):  # type: ignore[no-untyped-def]
    """Pack ``count`` signs (−1, 0 or 1), five per byte, into w = ⌈count/5⌉ bytes. Called by kernels.

    Byte j has the signs j, j + w, j + 2w, j + 3w and j + 4w. The function reads the first 5w elements of ``signs``, of
    which those after the first ``count`` must be 0.
    """
    width = (count + COLUMNS - 1) // COLUMNS
    for j in range(width):
        packed[j] = np.uint8(0)
    for column in range(COLUMNS - 1, -1, -1):
        part = signs[column * width : (column + 1) * width]
        for j in range(width):
            packed[j] = np.uint8(np.int32(3) * np.int32(packed[j]) + np.int32(1) + np.int32(part[j]))


@compiled("void(i1[::1], u1[::1])")
def pack(signs, packed):  # type: ignore[no-untyped-def]
    """Pack ``signs``, each −1, 0 or 1, five per byte into ``packed``."""
    group = np.empty(GROUP, np.int8)
    for start in range(0, signs.size, GROUP):
        count = min(GROUP, signs.size - start)
        for i in range(GROUP):
            group[i] = signs[start + i] if i < count else 0
        pack_group(group, count, packed[start // COLUMNS :])


@njit(nogil=True)
def _split_off_lowest_digit(rest, signs):  # type: ignore[no-untyped-def]
    """Write the lowest base-3 digit of each byte of ``rest``, minus 1, to ``signs``, and divide the byte by 3."""
    for j in range(signs.size):
        third = np.uint8((np.int32(rest[j]) * np.int32(171)) >> np.int32(9))
        signs[j] = np.int8(np.int32(rest[j]) - np.int32(3) * np.int32(third) - np.int32(1))
        rest[j] = third


@njit(nogil=True)
def _unpack_group(packed, start, count, rest, signs):  # type: ignore[no-untyped-def]
    width = (count + COLUMNS - 1) // COLUMNS
    first = start // COLUMNS
    for j in range(width):
        rest[j] = packed[first + j]
    for column in range(COLUMNS):
        _split_off_lowest_digit(rest, signs[column * width : (column + 1) * width])


@compiled("void(u1[::1], f4, f4[::1])")
def unpack(packed, scale, out):  # type: ignore[no-untyped-def]
    """Unpack signs (−1, 0 or 1), five per byte of ``packed``, and write ``scale`` times each sign to ``out``."""
    rest, signs = np.empty(GROUP // COLUMNS, np.uint8), np.empty(GROUP, np.int8)
    for start in range(0, out.size, GROUP):
        group = out[start : start + GROUP]
        _unpack_group(packed, start, group.size, rest, signs)
        for i in range(group.size):
            group[i] = np.float32(signs[i]) * scale


@compiled("void(u1[::1], f4, f4[::1])")
def unpack_add(packed, scale, out):  # type: ignore[no-untyped-def]
    """Unpack signs (−1, 0 or 1), five per byte of ``packed``, and add ``scale`` times each sign to ``out``."""
    rest, signs = np.empty(GROUP // COLUMNS, np.uint8), np.empty(GROUP, np.int8)
    for start in range(0, out.size, GROUP):
        group = out[start : start + GROUP]
        _unpack_group(packed, start, group.size, rest, signs)
        for i in range(group.size):
            group[i] += np.float32(signs[i]) * scale
