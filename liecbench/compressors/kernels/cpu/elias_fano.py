"""CPU kernels that write rising positions as bits, and add entries at positions read from them."""

import numpy as np

from liecbench.compressors.kernels.cpu.bits import lowest_bit, without_lowest_bit
from liecbench.compressors.kernels.cpu.jit import compiled


@compiled("void(i8[::1], i8, i8, i8, u1[::1], u1[::1])")
def encode(positions, first, width, step, low, high):  # type: ignore[no-untyped-def]
    """Positions number ``first`` and on, into bytes that start as zeros.

    p mod 2^``width`` goes to ``low``, and in ``high`` the bit p div 2^``width`` + ``step`` · j becomes 1.
    """
    for i in range(positions.size):
        j = first + i
        bit = (positions[i] >> width) + step * j
        high[bit >> 3] |= np.uint8(1 << (bit & 7))
        rest = positions[i] & ((1 << width) - 1)
        bit = width * j
        rest <<= bit & 7
        byte = bit >> 3
        while rest:
            low[byte] |= np.uint8(rest & 255)
            rest >>= 8
            byte += 1


@compiled("void(u1[::1], u1[::1], i8, i8, f4[::1], f4, f4[::1])")
def add_at(low, high, width, step, entries, weight, out):  # type: ignore[no-untyped-def]
    """``weight`` times each of ``entries`` added to ``out`` at its position."""
    j = 0
    for i in range(high.size):
        byte = np.uint64(high[i])
        while byte:
            position = (8 * i + lowest_bit(byte) - step * j) << width
            byte = without_lowest_bit(byte)
            rest = 0
            for k in range((width * j) >> 3, (width * (j + 1) + 7) >> 3):
                rest |= np.int64(low[k]) << (8 * (k - ((width * j) >> 3)))
            position |= (rest >> ((width * j) & 7)) & ((1 << width) - 1)
            out[position] += weight * entries[j]
            j += 1
