"""CPU kernels that encode ascending positions, and that add entries to a vector at encoded positions.

``codecs/elias_fano.py`` describes the encoding.
"""

import numpy as np

from liecbench.compressors.kernels.cpu.bits import lowest_bit, without_lowest_bit
from liecbench.compressors.kernels.cpu.jit import compiled


@compiled("void(i8[::1], i8, i8, i8, u1[::1], u1[::1])")
def encode(positions, first, width, spacing, low, bitmap):  # type: ignore[no-untyped-def]
    """Encode one part of an ascending list of positions p_0 < p_1 < ….

    Args:
        positions: The positions of the part.
        first: The index of the part's first position in the whole list, from 0.
        width: The number of lowest bits of each position that are written to ``low``.
        spacing: 1 for Elias–Fano code; 0 for a plain bitmap, for which ``width`` must be 0, too.
        low: Receives the lowest bits of each position p_j of the part, from bit ``width`` · j on. All bytes must be 0
            before the first part is encoded.
        bitmap: Receives a 1 for each position p_j of the part, at bit (p_j >> ``width``) + ``spacing`` · j. All bytes
            must be 0 before the first part is encoded.
    """
    for i in range(positions.size):
        j = first + i
        bit = (positions[i] >> width) + spacing * j
        bitmap[bit >> 3] |= np.uint8(1 << (bit & 7))
        rest = positions[i] & ((1 << width) - 1)
        bit = width * j
        rest <<= bit & 7
        byte = bit >> 3
        while rest:
            low[byte] |= np.uint8(rest & 255)
            rest >>= 8
            byte += 1


@compiled("void(u1[::1], u1[::1], i8, i8, f4[::1], f4, f4[::1])")
def add_at(low, bitmap, width, spacing, entries, weight, out):  # type: ignore[no-untyped-def]
    """Add ``weight`` · ``entries[j]`` to ``out[p_j]`` for each encoded position p_j.

    Args:
        low: The lowest bits of all positions, as ``encode`` writes them.
        bitmap: The bitmap of all positions, as ``encode`` writes it.
        width: The number of lowest bits of each position that are in ``low``.
        spacing: 1 for Elias–Fano code; 0 for a plain bitmap.
        entries: One value per position.
        weight: The factor that multiplies every value.
        out: The vector to which the values are added.
    """
    j = 0
    for i in range(bitmap.size):
        byte = np.uint64(bitmap[i])
        while byte:
            position = (8 * i + lowest_bit(byte) - spacing * j) << width
            byte = without_lowest_bit(byte)
            rest = 0
            for k in range((width * j) >> 3, (width * (j + 1) + 7) >> 3):
                rest |= np.int64(low[k]) << (8 * (k - ((width * j) >> 3)))
            position |= (rest >> ((width * j) & 7)) & ((1 << width) - 1)
            out[position] += weight * entries[j]
            j += 1
