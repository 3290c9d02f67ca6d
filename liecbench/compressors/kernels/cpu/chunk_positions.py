"""CPU kernels for the positions of kept entries, packed as ``codecs.chunk_positions`` says."""

import numpy as np

from liecbench.compressors.kernels.cpu.jit import compiled


@compiled("void(i8[::1], i8, i8, u1[::1])")
def pack(positions, chunk, kept, packed):  # type: ignore[no-untyped-def]
    """Write the positions of entries within their chunks, 12 bits each, to ``packed``.

    Args:
        positions: The positions in the vector, ascending. Every chunk of the vector has ``kept`` of them.
        chunk: The number of elements of a chunk.
        kept: The number of entries that a chunk keeps.
        packed: Receives the bytes.
    """
    count = positions.size
    packed[count:] = 0
    for number in range(count // kept):
        for i in range(number * kept, (number + 1) * kept):
            position = positions[i] - number * chunk
            packed[i] = position & 0xFF
            packed[count + i // 2] |= (position >> 8) << 4 * (i % 2)


@compiled("i8[::1](u1[::1], i8, i8, i8, i8)")
def unpack(packed, num_indexed, num_kept, chunk, kept):  # type: ignore[no-untyped-def]
    """Return the position of each kept entry in the whole vector, int64 of shape ``[num_kept]``.

    If a chunk has at most ``kept`` elements, all of them are kept, and their positions are not packed.

    Args:
        packed: The bytes that ``pack`` wrote.
        num_indexed: The number of packed positions.
        num_kept: The number of kept entries in all chunks, including those whose positions are not packed.
        chunk: The number of elements of a chunk.
        kept: The most entries that a chunk keeps.
    """
    positions = np.empty(num_kept, np.int64)
    for i in range(num_indexed):
        positions[i] = packed[i] | np.int64(packed[num_indexed + i // 2] >> 4 * (i % 2) & 0xF) << 8
    for i in range(num_indexed, num_kept):
        positions[i] = i % kept
    for first in range(kept, num_kept, kept):
        start = first // kept * chunk
        for i in range(first, min(first + kept, num_kept)):
            positions[i] += start
    return positions


@compiled("void(i8[::1], f4[::1], f4, f4[::1])")
def add_at(positions, values, weight, out):  # type: ignore[no-untyped-def]
    """Add ``weight`` · ``values[i]`` to ``out[positions[i]]``, for every i."""
    for i in range(positions.size):
        out[positions[i]] += values[i] * weight
