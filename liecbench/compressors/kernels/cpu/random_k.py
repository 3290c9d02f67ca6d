"""CPU kernels of random-k: ``draw`` draws positions, and ``take`` copies the entries at these positions."""

import numpy as np
from numba import njit

from liecbench.compressors.kernels.cpu.bits import lowest_bit, without_lowest_bit
from liecbench.compressors.kernels.cpu.jit import compiled
from liecbench.compressors.kernels.cpu.magnitude import largest_bits

# SplitMix64's increment and the factors of its finaliser.
_INCREMENT = np.uint64(0x9E3779B97F4A7C15)
_FIRST_FACTOR = np.uint64(0xBF58476D1CE4E5B9)
_SECOND_FACTOR = np.uint64(0x94D049BB133111EB)
_INFINITY = np.int32(0x7F800000)
_BLOCK = 4096
_ALL_ONES = np.uint64(0xFFFFFFFFFFFFFFFF)
LARGEST_FLOAT32 = np.float32(np.finfo(np.float32).max)


@njit(nogil=True)
def _set_random_bits(numel, count, key, bitmap):  # type: ignore[no-untyped-def]
    """Set ``count`` different random bits among the first ``numel`` bits of ``bitmap`` to 1.

    If a drawn bit is already 1, another bit is drawn. The random numbers are those of SplitMix64 (Steele et al. 2014)
    with the seed ``key``.
    """
    state = np.uint64(key)
    while count:
        state = np.uint64(state + _INCREMENT)
        word = np.uint64((state ^ (state >> np.uint64(30))) * _FIRST_FACTOR)
        word = np.uint64((word ^ (word >> np.uint64(27))) * _SECOND_FACTOR)
        word ^= word >> np.uint64(31)
        position = np.int64(np.float64(np.int64(word >> np.uint64(11))) * 2.0**-53 * numel)
        bit = np.uint64(1) << np.uint64(position & 63)
        count -= (bitmap[position >> 6] & bit) == 0
        bitmap[position >> 6] |= bit


@compiled("void(i8, u8, i8[::1])")
def draw(numel, key, positions):  # type: ignore[no-untyped-def]
    """Fill ``positions`` with distinct random positions from 0 to ``numel`` − 1, in ascending order.

    All sets of positions are equally likely. ``key`` seeds the random numbers.
    """
    bitmap = np.zeros((numel + 63) // 64, np.uint64)
    # If more than half of all positions are to be filled in, draw those that are left out, because they are fewer.
    marks_left_out = positions.size > numel // 2
    _set_random_bits(numel, numel - positions.size if marks_left_out else positions.size, key, bitmap)
    inverted = _ALL_ONES if marks_left_out else np.uint64(0)
    j = 0
    for i in range(bitmap.size):
        word = np.uint64(bitmap[i] ^ inverted)
        if marks_left_out and i == numel >> 6:
            word &= (np.uint64(1) << np.uint64(numel & 63)) - np.uint64(1)
        while word:
            positions[j] = 64 * i + lowest_bit(word)
            word = without_lowest_bit(word)
            j += 1


@njit(inline="always")
def _take_from_block(values, first, positions, j, scale, entries, residual, has_residual):  # type: ignore[no-untyped-def]
    while j < positions.size and positions[j] < first + values.size:
        i = positions[j] - first
        value = values[i]
        entry = np.float32(value * scale)
        entry = entry if entry < LARGEST_FLOAT32 else LARGEST_FLOAT32
        entries[j] = entry if entry > -LARGEST_FLOAT32 else -LARGEST_FLOAT32
        if has_residual:
            residual[i] = value - entries[j]
        j += 1
    return j


@compiled("b1(f4[::1], i8[::1], f4, f4[::1], f4[::1], b1, b1)")
def take(values, positions, scale, entries, residual, has_residual, in_place):  # type: ignore[no-untyped-def]
    """Write ``scale`` times the values at ``positions`` to ``entries``, and return whether all ``values`` are finite.

    Entries beyond float32's range are clipped to that range. If ``has_residual``, also write the residual to
    ``residual``, or to ``values`` if ``in_place``. The residual equals ``values``, except that ``entries`` are
    subtracted at ``positions``.
    """
    finite, j = True, 0
    # Block by block: a block is checked and its entries are copied while it is in the cache.
    for start in range(0, values.size, _BLOCK):
        block = values[start : start + _BLOCK]
        finite &= largest_bits(block.view(np.int32)) < _INFINITY
        if has_residual and not in_place:
            rest = residual[start : start + _BLOCK]
            for i in range(block.size):
                rest[i] = block[i]
            j = _take_from_block(block, start, positions, j, scale, entries, rest, True)
        else:
            j = _take_from_block(block, start, positions, j, scale, entries, block, has_residual)
    return finite
