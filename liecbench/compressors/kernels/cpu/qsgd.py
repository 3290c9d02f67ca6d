"""CPU kernels of QSGD: buckets of 512 entries, each with its norm and its levels in planes of bits.

A bucket of m entries is 8 columns of w = ⌈m/8⌉: entry c·w + j is in column c. Word j holds the codes (level + s) of the
entries c·w + j, each of ``width`` bits, column 0 lowest; byte b of all words comes before byte b + 1 of any. So all
loops run over neighbours and vectorise.
"""

import math

import numpy as np
from numba import njit

from liecbench.compressors.kernels.cpu.jit import compiled
from liecbench.compressors.kernels.cpu.rounding import round_stochastically, subtract
from liecbench.compressors.kernels.cpu.summation import add_eighths, sum_of_64

BUCKET = 512
_COLUMNS = 8
_LARGEST = np.float32(np.finfo(np.float32).max)


@njit(inline="always")
def _square(value):  # type: ignore[no-untyped-def]
    return value * value


@njit(inline="always")
def _wide_square(value):  # type: ignore[no-untyped-def]
    return np.float64(value) * np.float64(value)


@njit(nogil=True)
def _norm(values, sums, room):  # type: ignore[no-untyped-def]
    """‖v‖₂ of a whole bucket in float32, of denormal and of huge values too; beyond float32 the largest there is."""
    add_eighths(values, BUCKET // 8, _square, sums)
    squares = np.float64(sum_of_64(sums, room))
    if not 1e-30 < squares < 1e38:
        wide = np.empty(BUCKET // 8)
        add_eighths(values, BUCKET // 8, _wide_square, wide)
        squares = sum_of_64(wide, np.empty(8))
    norm = math.sqrt(squares)
    return _LARGEST if _LARGEST < norm < np.inf else np.float32(norm)


@njit(nogil=True)
def _pack_nibbles(levels, most, count, packed):  # type: ignore[no-untyped-def]
    """``_pack`` for a width of 4, where each byte of a word is two columns."""
    for byte in range(4):
        low = levels[2 * byte * count : (2 * byte + 1) * count]
        high = levels[(2 * byte + 1) * count : (2 * byte + 2) * count]
        room = packed[byte * count : (byte + 1) * count]
        for j in range(count):
            room[j] = np.uint8(np.uint8(low[j] + most) | np.uint8(np.uint8(high[j] + most) << np.uint8(4)))


@njit(nogil=True)
def _pack(levels, most, width, words, packed):  # type: ignore[no-untyped-def]
    for j in range(words.size):
        words[j] = 0
    for column in range(_COLUMNS):
        shift = np.uint64(column * width)
        part = levels[column * words.size : (column + 1) * words.size]
        for j in range(words.size):
            words[j] |= np.uint64(np.uint8(part[j] + most)) << shift
    for byte in range(width):
        shift = np.uint64(8 * byte)
        room = packed[byte * words.size : (byte + 1) * words.size]
        for j in range(words.size):
            room[j] = np.uint8(words[j] >> shift)


@compiled("void(f4[::1], i8, i8, u8, f4[::1], u1[::1], f4[::1], b1, b1)")
def compress(values, most, width, key, norms, packed, residual, keep, in_place):  # type: ignore[no-untyped-def]
    """``norms`` and ``packed`` levels, and what they leave in ``residual`` where ``keep``."""
    levels = np.empty(BUCKET, np.int8)
    words = np.empty(BUCKET // _COLUMNS, np.uint64)
    last = np.zeros(BUCKET, np.float32)
    sums, eighth = np.empty(BUCKET // 8, np.float32), np.empty(8, np.float32)
    for bucket in range(norms.size):
        start = bucket * BUCKET
        part = values[start : start + BUCKET]
        if part.size < BUCKET:
            last[: part.size] = part
        norm = _norm(part if part.size == BUCKET else last, sums, eighth)
        norms[bucket] = norm
        factor = most / np.float64(norm) if 0 < norm < np.inf else 0.0
        for i in range(part.size, BUCKET):
            levels[i] = 0
        round_stochastically(part, factor, np.float32(most), np.uint32(start), key, levels)
        count = (part.size + _COLUMNS - 1) // _COLUMNS
        room = packed[start // _COLUMNS * width :]
        if width == 4:
            _pack_nibbles(levels, np.uint8(most), count, room)
        else:
            _pack(levels, np.uint8(most), width, words[:count], room)
        if keep:
            scale = np.float32(norm / np.float32(most))
            if in_place:
                subtract(part, levels, scale, part)
            else:
                subtract(part, levels, scale, residual[start : start + BUCKET])


@njit(nogil=True)
def _unpack(packed, most, width, words, levels):  # type: ignore[no-untyped-def]
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
        room = levels[column * words.size : (column + 1) * words.size]
        for j in range(words.size):
            room[j] = np.int8(np.uint8((words[j] >> shift) & mask) - most)


@compiled("void(f4[::1], u1[::1], i8, i8, f4, f4[::1], b1)")
def decompress(norms, packed, most, width, weight, out, accumulate):  # type: ignore[no-untyped-def]
    """``weight`` · norm · level / s into ``out``, or added to it."""
    levels = np.empty(BUCKET, np.int8)
    words = np.empty(BUCKET // _COLUMNS, np.uint64)
    for bucket in range(norms.size):
        start = bucket * BUCKET
        part = out[start : start + BUCKET]
        count = (part.size + _COLUMNS - 1) // _COLUMNS
        _unpack(packed[start // _COLUMNS * width :], np.uint8(most), width, words[:count], levels)
        scale = np.float32(norms[bucket] / np.float32(most)) * weight
        if accumulate:
            for i in range(part.size):
                part[i] += np.float32(levels[i]) * scale
        else:
            for i in range(part.size):
                part[i] = np.float32(levels[i]) * scale
