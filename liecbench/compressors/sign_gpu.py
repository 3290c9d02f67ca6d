"""GPU kernels of the sign compressor; each passes over the vector once."""

from collections.abc import Sequence

import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.sums_gpu import passes, weighted_scale

_BLOCK = 4096
_SCALE_BYTES = tl.constexpr(4)


def pack(vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
    """Signs into ``payload`` behind its scale, and v − scale · sign(v) into ``residual``, which may be the vector."""
    grid = (triton.cdiv(vector.numel(), _BLOCK),)
    left = vector if residual is None else residual
    _pack[grid](vector, vector.numel(), payload, left, keep=residual is not None, block=_BLOCK, enable_fp_fusion=False)


def add_up(payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
    """Σ ±scale · ``weight`` in the order of ``payloads``, written to ``out`` or added to it."""
    grid = (triton.cdiv(out.numel(), _BLOCK),)
    for part, add in passes(payloads, accumulate):
        _add_up[grid](
            part, weight, out, out.numel(), count=len(part), accumulate=add, block=_BLOCK, enable_fp_fusion=False
        )


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _pack(vector, numel, payload, residual, keep: tl.constexpr, block: tl.constexpr):  # type: ignore[no-untyped-def]
    start = tl.program_id(0).to(tl.int64) * block
    scale = tl.load(payload.to(tl.pointer_type(tl.float32)))
    bits = payload + _SCALE_BYTES + start // 8
    # A whole block's length is known: with another, masks would split loads of four values into single ones.
    if start + block <= numel:
        _pack_block(vector + start, block, scale, bits, residual + start, keep, block)
    else:
        _pack_block(vector + start, (numel - start).to(tl.int32), scale, bits, residual + start, keep, block)


@triton.jit  # type: ignore[untyped-decorator]
def _pack_block(vector, numel, scale, bits, residual, keep: tl.constexpr, block: tl.constexpr):  # type: ignore[no-untyped-def]
    bytes_, bit = tl.arange(0, block // 8), tl.arange(0, 8)[None, :]
    places = 8 * bytes_[:, None] + bit
    value = tl.load(vector + places, mask=places < numel, other=-1.0)
    positive = value >= 0
    tl.store(bits + bytes_, tl.sum(positive.to(tl.int32) << bit, axis=1).to(tl.uint8), mask=bytes_ < (numel + 7) // 8)
    if keep:
        tl.store(residual + places, value - tl.where(positive, scale, -scale), mask=places < numel)


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _add_up(  # type: ignore[no-untyped-def]
    payloads, weight: tl.float64, out, numel, count: tl.constexpr, accumulate: tl.constexpr, block: tl.constexpr
):
    start = tl.program_id(0).to(tl.int64) * block
    if start + block <= numel:
        _add_up_block(payloads, weight, out, start, block, count, accumulate, block)
    else:
        _add_up_block(payloads, weight, out, start, (numel - start).to(tl.int32), count, accumulate, block)


@triton.jit  # type: ignore[untyped-decorator]
def _add_up_block(  # type: ignore[no-untyped-def]
    payloads, weight, out, start, numel, count: tl.constexpr, accumulate: tl.constexpr, block: tl.constexpr
):
    bytes_, bit = tl.arange(0, block // 8), tl.arange(0, 8)[None, :]
    places = 8 * bytes_[:, None] + bit
    if accumulate:
        total = tl.load(out + start + places, mask=places < numel)
    for number in tl.static_range(count):
        bits = payloads[number] + _SCALE_BYTES + start // 8
        packed = tl.load(bits + bytes_, mask=bytes_ < (numel + 7) // 8, other=0).to(tl.int32)
        scale = weighted_scale(payloads[number], weight)
        term = tl.where(((packed[:, None] >> bit) & 1) == 1, scale, -scale)
        if accumulate or number > 0:
            total += term
        else:
            total = term
    tl.store(out + start + places, total, mask=places < numel)
