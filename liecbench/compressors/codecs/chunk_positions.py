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


def pack(positions: Tensor, packed: Tensor) -> None:
    """Pack positions.

    Args:
        positions: The positions, each below 4096, int64 of shape ``[count]``.
        packed: Receives the bytes, uint8 of shape ``[packed_bytes(count)]``.
    """
    count = positions.numel()
    packed[:count] = (positions & 0xFF).to(torch.uint8)
    upper = pad((positions >> 8).to(torch.uint8), (0, count % 2))
    packed[count:] = upper[::2] | upper[1::2] << 4


def unpack(packed: Tensor, count: int) -> Tensor:
    """Return ``count`` positions, int64 of shape ``[count]``, from the bytes that ``pack`` wrote."""
    pairs = packed[count:].to(torch.int64)
    upper = torch.stack([pairs & 0xF, pairs >> 4], dim=1).view(-1)[:count]
    return packed[:count] | upper << 8
