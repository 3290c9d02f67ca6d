"""GPU kernels that encode ascending positions, and that add entries to a vector at encoded positions.

``codecs/elias_fano.py`` describes the encoding.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.codecs.elias_fano import PositionCode
from liecbench.compressors.kernels.triton.blocks import launch

# One program encodes this many positions, or decodes this many bytes of the bitmap.
_ENCODED_BLOCK = 1024
_DECODED_BLOCK = 256


def encode_positions(code: PositionCode, positions: Tensor, packed: Tensor) -> None:
    """Encode the ascending positions of a message's entries.

    Args:
        code: The encoding to use.
        positions: All positions, ascending, int64 of shape ``[code.num_positions]``.
        packed: Receives the encoded positions, uint8 of shape ``[code.nbytes]``. The function also allocates a buffer
            of about this size, in which kernels collect the bits.
    """
    words = torch.zeros((packed.numel() + 3) // 4, dtype=torch.int32, device=packed.device)
    first_bit = 8 * code.low_bytes
    launch(_encode, _ENCODED_BLOCK, positions, first_bit, words, width=code.width, spacing=code.spacing)
    packed.copy_(words.view(torch.uint8)[: packed.numel()])


def add_at_positions(code: PositionCode, packed: Tensor, entries: Tensor, weight: float, out: Tensor) -> None:
    """Add ``weight`` times each entry to a vector, at encoded positions.

    Args:
        code: The encoding of the positions.
        packed: The encoded positions, uint8 of shape ``[code.nbytes]``.
        entries: One value per position, float32 of shape ``[code.num_positions]``.
        weight: The factor that multiplies every value.
        out: The vector to which the values are added, float32 of shape ``[code.numel]``.
    """
    bitmap = packed[code.low_bytes :]
    ones = torch.empty(triton.cdiv(bitmap.numel(), _DECODED_BLOCK), dtype=torch.int32, device=packed.device)
    launch(_count_ones, _DECODED_BLOCK, bitmap, ones)
    ones_up_to = ones.cumsum(0)
    options = {"width": code.width, "spacing": code.spacing}
    launch(_add_at, _DECODED_BLOCK, bitmap, packed, code.low_bytes, ones_up_to, entries, weight, out, **options)


@triton.jit(do_not_specialize=["count", "first_bit"])  # type: ignore[untyped-decorator]
def _encode(  # type: ignore[no-untyped-def]
    positions, count, first_bit, words, width: tl.constexpr, spacing: tl.constexpr, block_size: tl.constexpr
):
    """Write the positions p_0 < p_1 < … to ``words``, in the code that ``PositionCode`` describes.

    ``words`` must be all 0 before. The lowest ``width`` bits of p_j start at bit ``width`` · j of ``words``. A bitmap
    starts at bit ``first_bit`` of ``words``. In the bitmap, bit (p_j >> ``width``) + ``spacing`` · j becomes 1 for
    each j.
    """
    number = tl.program_id(0).to(tl.int64) * block_size + tl.arange(0, block_size)
    inside = number < count
    position = tl.load(positions + number, mask=inside, other=0)
    one = first_bit + (position >> width) + spacing * number
    bit = tl.full([block_size], 1, tl.int64) << (one & 31)
    tl.atomic_or(words + (one >> 5), bit.to(tl.int32), mask=inside, sem="relaxed")
    if width > 0:
        low_bit = width * number
        rest = (position & ((1 << width) - 1)) << (low_bit & 31)
        word = words + (low_bit >> 5)
        tl.atomic_or(word, rest.to(tl.int32), mask=inside, sem="relaxed")
        overflow = (rest >> 32).to(tl.int32)
        tl.atomic_or(word + 1, overflow, mask=inside & (overflow != 0), sem="relaxed")


@triton.jit(do_not_specialize=["nbytes"])  # type: ignore[untyped-decorator]
def _count_ones(bitmap, nbytes, ones, block_size: tl.constexpr):  # type: ignore[no-untyped-def]
    """Write to ``ones`` how many bits are 1 in this program's block of bytes of ``bitmap``."""
    block = tl.program_id(0).to(tl.int64)
    index = block * block_size + tl.arange(0, block_size)
    byte = tl.load(bitmap + index, mask=index < nbytes, other=0).to(tl.int32)
    pairs = byte - ((byte >> 1) & 0x55)
    nibbles = (pairs & 0x33) + ((pairs >> 2) & 0x33)
    tl.store(ones + block, tl.sum((nibbles & 0x0F) + (nibbles >> 4)))


@triton.jit(do_not_specialize=["nbytes", "low_bytes"])  # type: ignore[untyped-decorator]
def _add_at(  # type: ignore[no-untyped-def]
    bitmap,
    nbytes,
    low,
    low_bytes,
    ones_up_to,
    entries,
    weight: tl.float32,
    out,
    width: tl.constexpr,
    spacing: tl.constexpr,
    block_size: tl.constexpr,
):
    """Decode the positions p_0, p_1, …, and add ``weight`` · ``entries[j]`` to ``out[p_j]`` for each j.

    ``PositionCode`` describes the encoding, ``width`` and ``spacing``. The first ``low_bytes`` bytes of ``low`` hold
    the lowest ``width`` bits of every position. ``bitmap`` has ``nbytes`` bytes. The j-th 1 bit of ``bitmap``, counted
    from 0, belongs to p_j. Each program decodes a block of ``block_size`` bytes of ``bitmap``. ``ones_up_to[b]`` is the
    number of 1 bits in blocks 0 to b.
    """
    block = tl.program_id(0).to(tl.int64)
    bit = block * (8 * block_size) + tl.arange(0, 8 * block_size)
    byte = tl.load(bitmap + (bit >> 3), mask=(bit >> 3) < nbytes, other=0).to(tl.int32)
    one = (byte >> (bit & 7).to(tl.int32)) & 1
    is_one = one == 1
    number = tl.load(ones_up_to + block - 1, mask=block > 0, other=0) + tl.cumsum(one) - 1
    position = (bit - spacing * number) << width
    if width > 0:
        low_bit = width * number
        rest = tl.zeros([8 * block_size], tl.int64)
        for i in tl.static_range((width + 14) // 8):
            part = (low_bit >> 3) + i
            rest |= tl.load(low + part, mask=is_one & (part < low_bytes), other=0).to(tl.int64) << (8 * i)
        position |= (rest >> (low_bit & 7)) & ((1 << width) - 1)
    value = tl.load(out + position, mask=is_one, other=0.0)
    entry = tl.load(entries + number, mask=is_one, other=0.0)
    tl.store(out + position, value + weight * entry, mask=is_one)
