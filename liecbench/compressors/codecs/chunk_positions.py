"""Pack the positions of entries within chunks of at most 4096 entries, in 12 bits each.

The payload holds the lowest 8 bits of all positions, one per byte, and then the upper 4 bits, two positions per byte:
first the lower half of a byte, then the upper.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad

LONGEST_CHUNK = 4096


def packed_bytes(count: int) -> int:
    """Return the number of bytes that ``count`` packed positions take."""
    return count + (count + 1) // 2


def pack(positions: Tensor, chunk: int, packed: Tensor) -> None:
    """Write each entry's position within its chunk to ``packed``, in 12 bits. The tensors may be on any device.

    The chunk's number is not written: ``unpack`` derives it from the order of the entries.

    Args:
        positions: The positions of the entries in the vector, int64 of shape ``[count]``.
        chunk: The number of elements of a chunk, at most 4096.
        packed: Receives the bytes, uint8 of shape ``[packed_bytes(count)]``.
    """
    count, within = positions.numel(), positions % chunk
    packed[:count] = (within & 0xFF).to(torch.uint8)
    upper = pad((within >> 8).to(torch.uint8), (0, count % 2))
    packed[count:] = upper[::2] | upper[1::2] << 4


def unpack(packed: Tensor, num_indexed: int, num_kept: int, chunk: int, kept: int) -> Tensor:
    """Return the position of each kept entry, counted from the start of the vector.

    Example: ``chunk`` is 4096, ``kept`` is 32, and the vector has 4100 elements. The first chunk keeps 32 entries,
    whose positions are in ``packed``. The second chunk keeps all its 4 elements, whose positions are not in ``packed``.

    Args:
        packed: The bytes that ``pack`` wrote.
        num_indexed: The number of positions in ``packed``; 32 in the example.
        num_kept: The number of kept entries in all chunks; 36 in the example.
        chunk: The number of elements of a chunk. The last chunk may be shorter.
        kept: The number of entries that a chunk keeps, at most ``chunk``. A chunk of at most ``kept`` elements keeps
            all its elements, and their positions are not in ``packed``.

    Returns:
        The positions, int64 of shape ``[num_kept]``, on the device of ``packed``.
    """
    pairs = packed[num_indexed:].to(torch.int64)
    upper = torch.stack([pairs & 0xF, pairs >> 4], dim=1).view(-1)[:num_indexed]
    number = torch.arange(num_kept, device=packed.device)
    within = number % kept
    within[:num_indexed] = packed[:num_indexed] | upper << 8
    return number // kept * chunk + within
