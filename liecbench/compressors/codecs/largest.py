"""The largest magnitudes of a vector, exactly, in little more memory than their positions take."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from liecbench.compressors.kernels.cpu import largest as selection_cpu

_MAGNITUDE = np.int32(0x7FFFFFFF)
_SAMPLE = 2**16
# Of a vector longer than the sample: up to where candidates take few bytes against the vector's.
_SPARSE = 1 / 16
_PIECE = 2**20
_SLACK = selection_cpu.BLOCK

Positions = NDArray[np.int64]
Bits = NDArray[np.int32]


def largest(bits: Bits, kept: int) -> Iterator[Positions]:
    """Positions, rising, in pieces, of the ``kept`` largest magnitudes of float32 seen as int32; ties as they come."""
    found = _candidates(bits, kept) if bits.size <= _SAMPLE or kept <= _SPARSE * bits.size else None
    if found is not None:
        magnitudes = bits[found] & _MAGNITUDE
        threshold = np.partition(magnitudes, found.size - kept)[found.size - kept]
        ties = kept - int(np.count_nonzero(magnitudes > threshold))
        yield _without_surplus(found, magnitudes, threshold, ties)
        return
    threshold, ties = _threshold(bits, kept)
    room = np.empty(_PIECE + _SLACK, np.int64)
    for start in range(0, bits.size, _PIECE):
        found = room[: selection_cpu.at_least(bits[start : start + _PIECE], start, threshold, room)]
        magnitudes = bits[found] & _MAGNITUDE
        chosen = _without_surplus(found, magnitudes, threshold, ties)
        ties -= int(np.count_nonzero(magnitudes == threshold)) - (found.size - chosen.size)
        yield chosen


def _candidates(bits: Bits, kept: int) -> Positions | None:
    """Somewhat more than ``kept`` positions, by a threshold that a sample suggests; None where it misleads."""
    sample = bits[:: -(-bits.size // _SAMPLE)] & _MAGNITUDE
    share = kept / bits.size * sample.size
    # Four standard deviations, so that the sample rarely suggests too few or more than there is room for.
    rank = math.ceil(share + 4 * math.sqrt(share) + 8)
    threshold = np.partition(sample, sample.size - rank)[sample.size - rank] if rank < sample.size else np.int32(0)
    most = min(1, (rank + 4 * math.sqrt(rank) + 8) / sample.size)
    room = np.empty(math.ceil(most * bits.size) + _SLACK, np.int64)
    count = selection_cpu.at_least(bits, 0, threshold, room)
    return room[:count] if kept <= count <= room.size - _SLACK else None


def _threshold(bits: Bits, kept: int) -> tuple[np.int32, int]:
    """The magnitude of rank ``kept``, and how many of its equals are among the ``kept``; two passes for any data."""
    upper, left = _at_rank(bits, -1, kept)
    lower, ties = _at_rank(bits, upper, left)
    return np.int32(upper << 16 | lower), ties


def _at_rank(bits: Bits, upper: int, rank: int) -> tuple[int, int]:
    counts = np.zeros(2**16, np.int64)
    selection_cpu.count_halves(bits, upper, counts)
    downwards = counts[::-1].cumsum()
    place = int(np.searchsorted(downwards, rank))
    half = counts.size - 1 - place
    return half, rank - int(downwards[place] - counts[half])


def _without_surplus(found: Positions, magnitudes: Bits, threshold: np.int32, ties: int) -> Positions:
    """Those above ``threshold`` and the first ``ties`` equal to it."""
    chosen = magnitudes >= threshold
    chosen[np.flatnonzero(magnitudes == threshold)[ties:]] = False
    return found[chosen]
