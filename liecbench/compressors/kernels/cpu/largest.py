"""Find the exact k largest magnitudes of a vector, in little more memory than their positions take.

A float32 vector is passed as its bits, int32. Without their sign bits, these integers are in the order of the
magnitudes, and NaN and infinity are the largest. A sample of the vector gives an estimate of the k-th largest
magnitude, and one pass over the vector collects the candidates that reach the estimate.

In two cases, two passes over the vector find the k-th largest magnitude exactly instead:

- There are fewer candidates than k, or more than the buffer for their positions holds.
- The vector is long, and k is more than a sixteenth of the number of its entries. No sample is then used.
"""

import math
from collections.abc import Iterator

import numpy as np
from numba import njit
from numpy.typing import NDArray

from liecbench.compressors.kernels.cpu.jit import compiled

_MAGNITUDE = np.int32(0x7FFFFFFF)
_BLOCK = 512
_SAMPLE = 2**16
# In a vector longer than the sample, the threshold is estimated only if at most this fraction of the entries is kept,
# because the candidates then take little memory compared to the vector.
_LARGEST_SAMPLED_FRACTION = 1 / 16
# The number of elements that one pass over the vector searches at a time once the threshold is exact.
_PIECE = 2**20

Positions = NDArray[np.int64]
Bits = NDArray[np.int32]


def largest_positions(bits: Bits, num_kept: int) -> Iterator[Positions]:
    """Yield arrays that together hold, in ascending order, the positions of the ``num_kept`` largest magnitudes.

    Args:
        bits: The vector, float32 viewed as int32.
        num_kept: The number of positions to find. Of equal magnitudes, those at lower positions are preferred.
    """
    sampled = bits.size <= _SAMPLE or num_kept <= _LARGEST_SAMPLED_FRACTION * bits.size
    found = _candidates(bits, num_kept) if sampled else None
    if found is not None:
        magnitudes = bits[found] & _MAGNITUDE
        threshold = np.partition(magnitudes, found.size - num_kept)[found.size - num_kept]
        num_ties = num_kept - int(np.count_nonzero(magnitudes > threshold))
        yield _without_surplus(found, magnitudes, threshold, num_ties)
        return
    threshold, num_ties = _threshold(bits, num_kept)
    buffer = np.empty(_PIECE + _BLOCK, np.int64)
    for start in range(0, bits.size, _PIECE):
        found = buffer[: _positions_from(bits[start : start + _PIECE], start, threshold, buffer)]
        magnitudes = bits[found] & _MAGNITUDE
        chosen = _without_surplus(found, magnitudes, threshold, num_ties)
        num_ties -= int(np.count_nonzero(magnitudes == threshold)) - (found.size - chosen.size)
        yield chosen


def _candidates(bits: Bits, num_kept: int) -> Positions | None:
    """Return the positions, in ascending order, of at least the ``num_kept`` largest magnitudes.

    A magnitude is included if it reaches a threshold, which is estimated from a sample. Return None if the estimate is
    bad: fewer than ``num_kept`` magnitudes reach the threshold, or more than the buffer for positions holds.
    """
    sample = bits[:: -(-bits.size // _SAMPLE)] & _MAGNITUDE
    expected = num_kept / bits.size * sample.size
    # A margin of four standard deviations: there are rarely fewer candidates than needed, or more than the buffer
    # holds.
    rank = math.ceil(expected + 4 * math.sqrt(expected) + 8)
    threshold = np.partition(sample, sample.size - rank)[sample.size - rank] if rank < sample.size else np.int32(0)
    largest_fraction = min(1, (rank + 4 * math.sqrt(rank) + 8) / sample.size)
    buffer = np.empty(math.ceil(largest_fraction * bits.size) + _BLOCK, np.int64)
    count = _positions_from(bits, 0, threshold, buffer)
    return buffer[:count] if num_kept <= count <= buffer.size - _BLOCK else None


def _threshold(bits: Bits, num_kept: int) -> tuple[np.int32, int]:
    """Return the ``num_kept``-th largest magnitude, and how many of the ``num_kept`` largest are equal to it."""
    upper, rank_in_upper = _half_at_rank(bits, -1, num_kept)
    lower, num_ties = _half_at_rank(bits, upper, rank_in_upper)
    return np.int32(upper << 16 | lower), num_ties


def _half_at_rank(bits: Bits, upper: int, rank: int) -> tuple[int, int]:
    """Find one half of the bits of the ``rank``-th largest magnitude: the upper 15 bits or the lower 16 bits.

    For magnitudes with the upper bits 9, 7, 7 and 5, ``upper=-1`` and ``rank=3`` give (7, 2): the third largest is the
    second largest of those with the upper bits 7. A second call, with ``upper=7`` and ``rank=2``, finds the lower bits.

    Args:
        bits: The vector, float32 viewed as int32.
        upper: -1 to search all elements for the upper bits. Else only elements with these upper bits are searched.
        rank: The rank of the magnitude among the searched elements, 1 for the largest.

    Returns:
        (the bits found, the rank of the magnitude among the searched elements with these bits).
    """
    counts = np.zeros(2**16, np.int64)
    _count_halves(bits, upper, counts)
    from_top = counts[::-1].cumsum()
    index = int(np.searchsorted(from_top, rank))
    half = counts.size - 1 - index
    return half, rank - int(from_top[index] - counts[half])


def _without_surplus(found: Positions, magnitudes: Bits, threshold: np.int32, num_ties: int) -> Positions:
    """Return the positions of all magnitudes above ``threshold``, and of the first ``num_ties`` that equal it.

    ``magnitudes[i]`` is the magnitude at position ``found[i]``.
    """
    chosen = magnitudes >= threshold
    chosen[np.flatnonzero(magnitudes == threshold)[num_ties:]] = False
    return found[chosen]


@njit(nogil=True)
def _append(bits, first, threshold, positions):  # type: ignore[no-untyped-def]
    count = 0
    for i in range(bits.size):
        # Write every position, and let the next one overwrite it unless its magnitude reaches the threshold. A branch
        # would often be mispredicted.
        positions[count] = first + i
        count += np.int32(bits[i] & _MAGNITUDE) >= threshold
    return count


@compiled("i8(i4[::1], i8, i4, i8[::1])")
def _positions_from(bits, first, threshold, positions):  # type: ignore[no-untyped-def]
    """Find the elements whose magnitude is at least ``threshold``, and return their number.

    Args:
        bits: The vector or a piece of it, float32 viewed as int32.
        first: The position of ``bits[0]`` in the vector.
        threshold: The least magnitude, float32 viewed as int32.
        positions: The output, which receives the positions in ascending order. Its last ``_BLOCK`` elements are scratch
            memory. If more positions are found than fit before the scratch memory, the search stops, and the number
            found so far is returned, which is above ``positions.size`` − ``_BLOCK``.
    """
    count, capacity = 0, positions.size - _BLOCK
    for start in range(0, bits.size, _BLOCK):
        count += _append(bits[start : start + _BLOCK], first + start, threshold, positions[count:])
        if count > capacity:
            break
    return count


@compiled("void(i4[::1], i8, i8[::1])")
def _count_halves(bits, upper, counts):  # type: ignore[no-untyped-def]
    """Add a histogram of the upper 15 bits, or of the lower 16 bits, of magnitudes in the vector to ``counts``.

    Args:
        bits: The vector, float32 viewed as int32.
        upper: −1 to count the upper bits of all magnitudes. If ``upper`` is not negative, the lower bits are counted,
            but only of magnitudes whose upper bits are the integer ``upper``.
        counts: The histogram. For example, ``counts[5]`` grows by one whenever the counted bits are the integer 5.
    """
    if upper < 0:
        for i in range(bits.size):
            counts[np.uint32(bits[i] & _MAGNITUDE) >> np.uint32(16)] += 1
    else:
        for i in range(bits.size):
            magnitude = np.uint32(bits[i] & _MAGNITUDE)
            if magnitude >> np.uint32(16) == upper:
                counts[magnitude & np.uint32(0xFFFF)] += 1
