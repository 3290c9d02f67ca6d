"""GPU kernels of the sign compressor; each passes over the vector once.

Compressing and keeping the residual reads an element twice, for the scale and for its sign, and writes it once: 12.1
bytes. Adding up 8 messages moves 5, and 9 where they are accumulated. A copy moves 8.
"""

from collections.abc import Sequence

import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.kernels.triton import blocks as blocks_gpu
from liecbench.compressors.kernels.triton.blocks import by_blocks
from liecbench.compressors.kernels.triton.summation import weighted_scale

_BLOCK = 2048
_SCALE_BYTES = tl.constexpr(4)


def pack(vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
    """Signs into ``payload`` behind its scale, and v − scale · sign(v) into ``residual``, which may be the vector."""
    blocks_gpu.compress(_pack, _BLOCK, vector, payload, residual)


def sum_messages(payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
    """Σ ±scale · ``weight`` in the order of ``payloads``, written to ``out`` or added to it."""
    blocks_gpu.sum_messages(_sum_messages, _BLOCK, payloads, out, accumulate, weight)


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _pack(vector, numel, payload, residual, keep: tl.constexpr, size: tl.constexpr):  # type: ignore[no-untyped-def]
    by_blocks(_pack_block, numel, size, (vector, payload, residual, keep, size))


@triton.jit  # type: ignore[untyped-decorator]
def _pack_block(vector, payload, residual, keep: tl.constexpr, size: tl.constexpr, start, numel):  # type: ignore[no-untyped-def]
    scale = tl.load(payload.to(tl.pointer_type(tl.float32)))
    bytes_, bit = tl.arange(0, size // 8), tl.arange(0, 8)[None, :]
    places = 8 * bytes_[:, None] + bit
    value = tl.load(vector + start + places, mask=places < numel, other=-1.0)
    positive = value >= 0
    byte = tl.sum(positive.to(tl.int32) << bit, axis=1).to(tl.uint8)
    tl.store(payload + _SCALE_BYTES + start // 8 + bytes_, byte, mask=bytes_ < (numel + 7) // 8)
    if keep:
        tl.store(residual + start + places, value - tl.where(positive, scale, -scale), mask=places < numel)


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _sum_messages(  # type: ignore[no-untyped-def]
    out, numel, payloads, weight: tl.float64, count: tl.constexpr, accumulate: tl.constexpr, size: tl.constexpr
):
    by_blocks(_sum_block, numel, size, (out, payloads, weight, count, accumulate, size))


@triton.jit  # type: ignore[untyped-decorator]
def _sum_block(  # type: ignore[no-untyped-def]
    out, payloads, weight, count: tl.constexpr, accumulate: tl.constexpr, size: tl.constexpr, start, numel
):
    bytes_, bit = tl.arange(0, size // 8), tl.arange(0, 8)[None, :]
    places = 8 * bytes_[:, None] + bit
    # All is read before it is needed. The messages' bytes change places between threads together: 8 in a word.
    packed, scales = tl.zeros([size // 8], tl.int64), ()
    for number in tl.static_range(count):
        bits = payloads[number] + _SCALE_BYTES + start // 8
        byte = tl.load(bits + bytes_, mask=bytes_ < (numel + 7) // 8, other=0)
        packed |= byte.to(tl.int64) << (8 * number)
        scales += (weighted_scale(payloads[number], weight),)  # type: ignore[assignment]
    if accumulate:
        total = tl.load(out + start + places, mask=places < numel)
    packed = packed[:, None]
    for number in tl.static_range(count):
        byte = (packed >> (8 * number)).to(tl.int32)
        term = tl.where(((byte >> bit) & 1) == 1, scales[number], -scales[number])
        if accumulate or number > 0:
            total += term
        else:
            total = term
    tl.store(out + start + places, total, mask=places < numel)
