"""CPU kernels of random-k: one draws its positions, one takes the entries there."""

import numpy as np
from numba import njit

from liecbench.compressors.kernels.cpu.bits import lowest_bit, without_lowest_bit
from liecbench.compressors.kernels.cpu.jit import compiled
from liecbench.compressors.kernels.cpu.magnitude import largest_bits

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_INFINITY = np.int32(0x7F800000)
_BLOCK = 4096
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@njit(nogil=True)
def _mark(numel, count, key, marks):  # type: ignore[no-untyped-def]
    """Set ``count`` bits of ``marks``; what falls on one set before is drawn again. Numbers by SplitMix64."""
    state = np.uint64(key)
    while count:
        state = np.uint64(state + _GOLDEN)
        word = np.uint64((state ^ (state >> np.uint64(30))) * _FIRST)
        word = np.uint64((word ^ (word >> np.uint64(27))) * _SECOND)
        word ^= word >> np.uint64(31)
        position = np.int64(np.float64(np.int64(word >> np.uint64(11))) * 2.0**-53 * numel)
        bit = np.uint64(1) << np.uint64(position & 63)
        count -= (marks[position >> 6] & bit) == 0
        marks[position >> 6] |= bit


@compiled("void(i8, u8, i8[::1])")
def draw(numel, key, positions):  # type: ignore[no-untyped-def]
    """Fill ``positions`` with that many different ones below ``numel``, rising; every choice is equally likely."""
    marks = np.zeros((numel + 63) // 64, np.uint64)
    leaves_out = positions.size > numel // 2
    _mark(numel, numel - positions.size if leaves_out else positions.size, key, marks)
    inverted = _ALL if leaves_out else np.uint64(0)
    j = 0
    for i in range(marks.size):
        word = np.uint64(marks[i] ^ inverted)
        if leaves_out and i == numel >> 6:
            word &= (np.uint64(1) << np.uint64(numel & 63)) - np.uint64(1)
        while word:
            positions[j] = 64 * i + lowest_bit(word)
            word = without_lowest_bit(word)
            j += 1


@njit(inline="always")
def _take_block(values, first, positions, j, scale, entries, residual, keep):  # type: ignore[no-untyped-def]
    while j < positions.size and positions[j] < first + values.size:
        i = positions[j] - first
        value = values[i]
        entries[j] = value * scale
        if keep:
            residual[i] = value - entries[j]
        j += 1
    return j


@compiled("b1(f4[::1], i8[::1], f4, f4[::1], f4[::1], b1, b1)")
def take(values, positions, scale, entries, residual, keep, in_place):  # type: ignore[no-untyped-def]
    """``scale`` · v at ``positions``, what that leaves in ``residual`` where ``keep``, and whether all of v is finite.

    Block by block, so that each is in the cache when its entries are taken.
    """
    finite, j = True, 0
    for start in range(0, values.size, _BLOCK):
        block = values[start : start + _BLOCK]
        finite &= largest_bits(block.view(np.int32)) < _INFINITY
        if keep and not in_place:
            left = residual[start : start + _BLOCK]
            for i in range(block.size):
                left[i] = block[i]
            j = _take_block(block, start, positions, j, scale, entries, left, True)
        else:
            j = _take_block(block, start, positions, j, scale, entries, block, keep)
    return finite
