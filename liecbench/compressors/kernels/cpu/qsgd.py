"""CPU kernels of QSGD. A vector is cut into buckets of 512 entries, each with its own norm and packed levels.

The level of an entry is an integer from −s to s, where s is the argument ``largest_level`` of the kernels. The level is
stored as level + s, in ``width`` bits. Word 0 (``width`` bytes) has the levels of entries 0, 64, 128, …, 448, with
entry 0 in the lowest bits. Word 1 has the levels of entries 1, 65, 129, …, 449, and so on. If the last bucket has only
m entries, ⌈m/8⌉ replaces 64. The packed bucket is byte 0 of all words, then byte 1 of all words, and so on. In
this layout every loop runs over adjacent elements and vectorises.
"""

import math

import numpy as np
from numba import njit

from liecbench.compressors.kernels.cpu.jit import compiled
from liecbench.compressors.kernels.cpu.residual import subtract_levels
from liecbench.compressors.kernels.cpu.rounding import round_stochastically
from liecbench.compressors.kernels.cpu.summation import halve_three_times, sum_of_64
from liecbench.compressors.kernels.layout import BUCKET

_COLUMNS = 8
_LARGEST_FLOAT32 = np.float32(np.finfo(np.float32).max)


@njit(inline="always")
def _square(value):  # type: ignore[no-untyped-def]
    return value * value


@njit(inline="always")
def _float64_square(value):  # type: ignore[no-untyped-def]
    return np.float64(value) * np.float64(value)


@njit(nogil=True)
def _norm(values, eighths, buffer):  # type: ignore[no-untyped-def]
    """Return the norm ‖v‖₂ of the 512 ``values`` v of a bucket, as float32.

    If all values are finite but the norm exceeds the largest float32, return the largest float32. The call overwrites
    ``eighths`` (64 float32 values) and ``buffer`` (8 float32 values), which are scratch memory.
    """
    halve_three_times(values, BUCKET // 8, _square, eighths)
    squares = np.float64(sum_of_64(eighths, buffer))
    if not 1e-30 < squares < 1e38:
        wide = np.empty(BUCKET // 8)
        halve_three_times(values, BUCKET // 8, _float64_square, wide)
        squares = sum_of_64(wide, np.empty(8))
    norm = math.sqrt(squares)
    return _LARGEST_FLOAT32 if _LARGEST_FLOAT32 < norm < np.inf else np.float32(norm)


@njit(nogil=True)
def _pack_nibbles(levels, largest_level, count, packed):  # type: ignore[no-untyped-def]
    """Pack the levels of one bucket with 4 bits per level. The result equals that of ``_pack``, which is slower.

    A level is stored as level + ``largest_level``. ``count`` is the number of levels in each of the 8 columns.
    For example, if ``count`` is 64, byte 0 of ``packed`` has ``levels[0]`` in its low half and ``levels[64]`` in its
    high half. Byte 1 has ``levels[1]`` and ``levels[65]``, and so on until byte 63 with ``levels[63]`` and
    ``levels[127]``. Byte 64 has ``levels[128]`` and ``levels[192]``.
    """
    for byte in range(4):
        low = levels[2 * byte * count : (2 * byte + 1) * count]
        high = levels[(2 * byte + 1) * count : (2 * byte + 2) * count]
        target = packed[byte * count : (byte + 1) * count]
        for j in range(count):
            upper = np.uint8(np.uint8(high[j] + largest_level) << np.uint8(4))
            target[j] = np.uint8(np.uint8(low[j] + largest_level) | upper)


@njit(nogil=True)
def _pack(levels, largest_level, width, words, packed):  # type: ignore[no-untyped-def]
    for j in range(words.size):
        words[j] = 0
    for column in range(_COLUMNS):
        shift = np.uint64(column * width)
        part = levels[column * words.size : (column + 1) * words.size]
        for j in range(words.size):
            words[j] |= np.uint64(np.uint8(part[j] + largest_level)) << shift
    for byte in range(width):
        shift = np.uint64(8 * byte)
        target = packed[byte * words.size : (byte + 1) * words.size]
        for j in range(words.size):
            target[j] = np.uint8(words[j] >> shift)


@compiled("void(f4[::1], i8, i8, u8, f4[::1], u1[::1], f4[::1], b1, b1)")
def encode(values, largest_level, width, key, norms, packed, residual, has_residual, in_place):  # type: ignore[no-untyped-def]
    """Write the norm of each bucket of 512 values to ``norms``, and the packed levels of all values to ``packed``.

    A level is value · ``largest_level`` / norm, rounded at random to an integer. It takes ``width`` bits in ``packed``.
    ``key`` seeds the random numbers.

    If ``has_residual``, also compute the residuals value − level · norm / ``largest_level``. They overwrite ``values``
    if ``in_place``, else ``residual``.
    """
    levels = np.empty(BUCKET, np.int8)
    words = np.empty(BUCKET // _COLUMNS, np.uint64)
    last = np.zeros(BUCKET, np.float32)
    eighths, buffer = np.empty(BUCKET // 8, np.float32), np.empty(8, np.float32)
    for bucket in range(norms.size):
        start = bucket * BUCKET
        part = values[start : start + BUCKET]
        if part.size < BUCKET:
            last[: part.size] = part
        norm = _norm(part if part.size == BUCKET else last, eighths, buffer)
        norms[bucket] = norm
        factor = largest_level / np.float64(norm) if 0 < norm < np.inf else 0.0
        for i in range(part.size, BUCKET):
            levels[i] = 0
        round_stochastically(part, factor, np.float32(largest_level), np.uint32(start), key, levels)
        count = (part.size + _COLUMNS - 1) // _COLUMNS
        target = packed[start // _COLUMNS * width :]
        if width == 4:
            _pack_nibbles(levels, np.uint8(largest_level), count, target)
        else:
            _pack(levels, np.uint8(largest_level), width, words[:count], target)
        if has_residual:
            scale = np.float32(norm / np.float32(largest_level))
            if in_place:
                subtract_levels(part, levels, scale, part)
            else:
                subtract_levels(part, levels, scale, residual[start : start + BUCKET])


@njit(nogil=True)
def _unpack(packed, largest_level, width, words, levels):  # type: ignore[no-untyped-def]
    for j in range(words.size):
        words[j] = 0
    for byte in range(width):
        shift = np.uint64(8 * byte)
        part = packed[byte * words.size : (byte + 1) * words.size]
        for j in range(words.size):
            words[j] |= np.uint64(part[j]) << shift
    mask = np.uint64((1 << width) - 1)
    for column in range(_COLUMNS):
        shift = np.uint64(column * width)
        target = levels[column * words.size : (column + 1) * words.size]
        for j in range(words.size):
            target[j] = np.int8(np.uint8((words[j] >> shift) & mask) - largest_level)


@compiled("void(f4[::1], u1[::1], i8, i8, f4, f4[::1], b1)")
def decode(norms, packed, largest_level, width, weight, out, accumulate):  # type: ignore[no-untyped-def]
    """Write ``weight`` times the decoded vector to ``out``, or add this product to ``out`` if ``accumulate``.

    An entry is decoded as norm · level / ``largest_level``. ``norms`` has the norm of each bucket, and ``packed`` the
    packed levels of all buckets, with ``width`` bits per level.
    """
    levels = np.empty(BUCKET, np.int8)
    words = np.empty(BUCKET // _COLUMNS, np.uint64)
    for bucket in range(norms.size):
        start = bucket * BUCKET
        part = out[start : start + BUCKET]
        count = (part.size + _COLUMNS - 1) // _COLUMNS
        _unpack(packed[start // _COLUMNS * width :], np.uint8(largest_level), width, words[:count], levels)
        scale = np.float32(norms[bucket] / np.float32(largest_level)) * weight
        if accumulate:
            for i in range(part.size):
                part[i] += np.float32(levels[i]) * scale
        else:
            for i in range(part.size):
                part[i] = np.float32(levels[i]) * scale
