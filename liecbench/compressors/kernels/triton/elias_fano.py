"""GPU kernels that write rising positions as bits, and add entries at positions read from them."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.kernels.triton import blocks as blocks_gpu

_ENCODED = 1024
_BYTES = 256


def encode(positions: Tensor, low_bytes: int, width: int, step: int, packed: Tensor) -> None:
    """All positions, int64, into ``packed``: the bits below ``width``, then from ``low_bytes`` on the bitmap.

    Bits are put together in words of scratch as long as ``packed``.
    """
    words = torch.zeros((packed.numel() + 3) // 4, dtype=torch.int32, device=packed.device)
    blocks_gpu.launch(_encode, _ENCODED, positions, 8 * low_bytes, words, width=width, step=step)
    packed.copy_(words.view(torch.uint8)[: packed.numel()])


def add_at(packed: Tensor, low_bytes: int, width: int, step: int, entries: Tensor, weight: float, out: Tensor) -> None:
    """``weight`` times each of ``entries`` added to ``out`` at its position; no two of these are the same."""
    high = packed[low_bytes:]
    ones = torch.empty(triton.cdiv(high.numel(), _BYTES), dtype=torch.int32, device=packed.device)
    blocks_gpu.launch(_count_ones, _BYTES, high, ones)
    upto = ones.cumsum(0)
    blocks_gpu.launch(_add_at, _BYTES, high, packed, low_bytes, upto, entries, weight, out, width=width, step=step)


@triton.jit(do_not_specialize=["kept", "first_high"])  # type: ignore[untyped-decorator]
def _encode(positions, kept, first_high, words, width: tl.constexpr, step: tl.constexpr, size: tl.constexpr):  # type: ignore[no-untyped-def]
    """Of position j its low bits at bit ``width`` · j, and a one in the bitmap, which starts at bit ``first_high``."""
    number = tl.program_id(0).to(tl.int64) * size + tl.arange(0, size)
    inside = number < kept
    position = tl.load(positions + number, mask=inside, other=0)
    one = first_high + (position >> width) + step * number
    bit = tl.full([size], 1, tl.int64) << (one & 31)
    tl.atomic_or(words + (one >> 5), bit.to(tl.int32), mask=inside, sem="relaxed")
    if width > 0:
        place = width * number
        rest = (position & ((1 << width) - 1)) << (place & 31)
        word = words + (place >> 5)
        tl.atomic_or(word, rest.to(tl.int32), mask=inside, sem="relaxed")
        over = (rest >> 32).to(tl.int32)
        tl.atomic_or(word + 1, over, mask=inside & (over != 0), sem="relaxed")


@triton.jit(do_not_specialize=["nbytes"])  # type: ignore[untyped-decorator]
def _count_ones(high, nbytes, ones, size: tl.constexpr):  # type: ignore[no-untyped-def]
    """Ones in each block of bytes."""
    block = tl.program_id(0).to(tl.int64)
    places = block * size + tl.arange(0, size)
    byte = tl.load(high + places, mask=places < nbytes, other=0).to(tl.int32)
    pairs = byte - ((byte >> 1) & 0x55)
    nibbles = (pairs & 0x33) + ((pairs >> 2) & 0x33)
    tl.store(ones + block, tl.sum((nibbles & 0x0F) + (nibbles >> 4)))


@triton.jit(do_not_specialize=["nbytes", "low_bytes"])  # type: ignore[untyped-decorator]
def _add_at(  # type: ignore[no-untyped-def]
    high,
    nbytes,
    low,
    low_bytes,
    ones,
    entries,
    weight: tl.float32,
    out,
    width: tl.constexpr,
    step: tl.constexpr,
    size: tl.constexpr,
):
    """``ones`` counts up to each block: so every one finds which entry it is."""
    block = tl.program_id(0).to(tl.int64)
    bit = block * (8 * size) + tl.arange(0, 8 * size)
    byte = tl.load(high + (bit >> 3), mask=(bit >> 3) < nbytes, other=0).to(tl.int32)
    one = (byte >> (bit & 7).to(tl.int32)) & 1
    here = one == 1
    number = tl.load(ones + block - 1, mask=block > 0, other=0) + tl.cumsum(one) - 1
    position = (bit - step * number) << width
    if width > 0:
        place = width * number
        rest = tl.zeros([8 * size], tl.int64)
        for i in tl.static_range((width + 14) // 8):
            part = (place >> 3) + i
            rest |= tl.load(low + part, mask=here & (part < low_bytes), other=0).to(tl.int64) << (8 * i)
        position |= (rest >> (place & 7)) & ((1 << width) - 1)
    value = tl.load(out + position, mask=here, other=0.0)
    tl.store(out + position, value + weight * tl.load(entries + number, mask=here, other=0.0), mask=here)
