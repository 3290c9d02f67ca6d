"""The largest magnitudes of a vector, exactly, in little more memory than their positions take.

Vectors come as the bits of float32, int32: so magnitudes keep their order, and values that are not finite rank above
all others. A sample of the vector suggests a threshold; if that misleads, two passes over the vector find it.
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
# A vector longer than the sample is searched by a sampled threshold up to this fraction of entries: candidates then
# take few bytes compared to the vector.
_LARGEST_SAMPLED_FRACTION = 1 / 16
# The elements searched at once otherwise.
_PIECE = 2**20

Positions = NDArray[np.int64]
Bits = NDArray[np.int32]


def largest_positions(bits: Bits, num_kept: int) -> Iterator[Positions]:
    """Yield the positions of the largest magnitudes, rising, in one or more arrays.

    Args:
        bits: The vector, float32 seen as int32.
        num_kept: How many positions to find. Of equal magnitudes at the end, the first ones are kept.
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
    """Return somewhat more positions than ``num_kept``, by a sampled threshold; None if the sample misleads."""
    sample = bits[:: -(-bits.size // _SAMPLE)] & _MAGNITUDE
    expected = num_kept / bits.size * sample.size
    # Four standard deviations, so that the sample rarely suggests too few, or more than the buffer holds.
    rank = math.ceil(expected + 4 * math.sqrt(expected) + 8)
    threshold = np.partition(sample, sample.size - rank)[sample.size - rank] if rank < sample.size else np.int32(0)
    largest_fraction = min(1, (rank + 4 * math.sqrt(rank) + 8) / sample.size)
    buffer = np.empty(math.ceil(largest_fraction * bits.size) + _BLOCK, np.int64)
    count = _positions_from(bits, 0, threshold, buffer)
    return buffer[:count] if num_kept <= count <= buffer.size - _BLOCK else None


def _threshold(bits: Bits, num_kept: int) -> tuple[np.int32, int]:
    """Return the magnitude of rank ``num_kept`` and how many of its equals are kept, in two passes for any vector."""
    upper, rank_in_upper = _half_at_rank(bits, -1, num_kept)
    lower, num_ties = _half_at_rank(bits, upper, rank_in_upper)
    return np.int32(upper << 16 | lower), num_ties


def _half_at_rank(bits: Bits, upper: int, rank: int) -> tuple[int, int]:
    """Return the half of a magnitude's bits at ``rank`` from the top, and the rank among magnitudes with that half."""
    counts = np.zeros(2**16, np.int64)
    _count_halves(bits, upper, counts)
    from_top = counts[::-1].cumsum()
    index = int(np.searchsorted(from_top, rank))
    half = counts.size - 1 - index
    return half, rank - int(from_top[index] - counts[half])


def _without_surplus(found: Positions, magnitudes: Bits, threshold: np.int32, num_ties: int) -> Positions:
    """Return the positions of magnitudes above ``threshold``, and the first ``num_ties`` of those equal to it."""
    chosen = magnitudes >= threshold
    chosen[np.flatnonzero(magnitudes == threshold)[num_ties:]] = False
    return found[chosen]


@njit(nogil=True)
def _append(bits, first, threshold, positions):  # type: ignore[no-untyped-def]
    count = 0
    for i in range(bits.size):
        # Each position is written, and the next one over it if it does not count: a branch would be mispredicted often.
        positions[count] = first + i
        count += np.int32(bits[i] & _MAGNITUDE) >= threshold
    return count


@compiled("i8(i4[::1], i8, i4, i8[::1])")
def _positions_from(bits, first, threshold, positions):  # type: ignore[no-untyped-def]
    """Write the positions of magnitudes that reach ``threshold``, and return their number; ``bits`` begin at ``first``.

    It stops at more than ``positions`` holds, less the ``_BLOCK`` elements that a block may write too many.
    """
    count, capacity = 0, positions.size - _BLOCK
    for start in range(0, bits.size, _BLOCK):
        count += _append(bits[start : start + _BLOCK], first + start, threshold, positions[count:])
        if count > capacity:
            break
    return count


@compiled("void(i4[::1], i8, i8[::1])")
def _count_halves(bits, upper, counts):  # type: ignore[no-untyped-def]
    """Count magnitudes by their upper 15 bits, or by the lower 16 of those whose upper bits are ``upper`` ≥ 0."""
    if upper < 0:
        for i in range(bits.size):
            counts[np.uint32(bits[i] & _MAGNITUDE) >> np.uint32(16)] += 1
    else:
        for i in range(bits.size):
            magnitude = np.uint32(bits[i] & _MAGNITUDE)
            if magnitude >> np.uint32(16) == upper:
                counts[magnitude & np.uint32(0xFFFF)] += 1
