"""CPU kernels that look for the largest magnitudes. Vectors come as int32: so their magnitudes have the same order, and
what is not finite ranks above all else."""

import numpy as np
from numba import njit

from liecbench.compressors.kernels.cpu.jit import compiled

_MAGNITUDE = np.int32(0x7FFFFFFF)
BLOCK = 512


@njit(nogil=True)
def _append(bits, first, threshold, positions):  # type: ignore[no-untyped-def]
    count = 0
    for i in range(bits.size):
        # Each position is written, and the next one over it if it does not count: a branch would be mispredicted often.
        positions[count] = first + i
        count += np.int32(bits[i] & _MAGNITUDE) >= threshold
    return count


@compiled("i8(i4[::1], i8, i4, i8[::1])")
def at_least(bits, first, threshold, positions):  # type: ignore[no-untyped-def]
    """How many magnitudes reach ``threshold``, and their positions, the vector's start being ``first``.

    Stops at more than ``positions`` has room for; ``BLOCK`` places there stay unused.
    """
    count, room = 0, positions.size - BLOCK
    for start in range(0, bits.size, BLOCK):
        count += _append(bits[start : start + BLOCK], first + start, threshold, positions[count:])
        if count > room:
            break
    return count


@compiled("void(i4[::1], i8, i8[::1])")
def count_halves(bits, upper, counts):  # type: ignore[no-untyped-def]
    """Histogram of magnitudes' upper 15 bits, or of the lower 16 where the upper are ``upper`` ≥ 0."""
    if upper < 0:
        for i in range(bits.size):
            counts[np.uint32(bits[i] & _MAGNITUDE) >> np.uint32(16)] += 1
    else:
        for i in range(bits.size):
            magnitude = np.uint32(bits[i] & _MAGNITUDE)
            if magnitude >> np.uint32(16) == upper:
                counts[magnitude & np.uint32(0xFFFF)] += 1
