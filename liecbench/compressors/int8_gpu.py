"""GPU kernels of the 8-bit cast."""

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.magnitude_gpu import largest_magnitude
from liecbench.compressors.sums_gpu import passes, weighted_scale

_BLOCK = 2048
_SCALE_BYTES = tl.constexpr(4)
_LEAST_SCALE = tl.constexpr(2.0**-149)
# Adding it leaves no room for a fraction: what remains is rounded to the nearest whole number, ties to even.
_WHOLE = tl.constexpr(1.5 * 2**23)


def compress(vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
    """max|v| / 127 and v in its multiples into ``payload``, what they leave in ``residual``: it may be the vector."""
    largest = torch.empty(1, device=vector.device)
    largest_magnitude(vector, largest)
    _compress[(triton.cdiv(vector.numel(), _BLOCK),)](
        vector,
        vector.numel(),
        largest,
        payload,
        vector if residual is None else residual,
        keep=residual is not None,
        block=_BLOCK,
        enable_fp_fusion=False,
    )


def add_up(payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
    """Σ scale · ``weight`` · code in the order of ``payloads``, written to ``out`` or added to it."""
    grid = (triton.cdiv(out.numel(), _BLOCK),)
    for part, add in passes(payloads, accumulate):
        _add_up[grid](
            part, weight, out, out.numel(), count=len(part), accumulate=add, block=_BLOCK, enable_fp_fusion=False
        )


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _compress(vector, numel, largest, payload, residual, keep: tl.constexpr, block: tl.constexpr):  # type: ignore[no-untyped-def]
    start = tl.program_id(0).to(tl.int64) * block
    exact = tl.load(largest).to(tl.float64) / 127
    scale = tl.where((exact > 0) & (exact < _LEAST_SCALE), _LEAST_SCALE, exact).to(tl.float32)
    if start == 0:
        tl.store(payload.to(tl.pointer_type(tl.float32)), scale)
    codes = payload + _SCALE_BYTES + start
    if start + block <= numel:
        _compress_block(vector + start, block, scale, codes, residual + start, keep, block)
    else:
        _compress_block(vector + start, (numel - start).to(tl.int32), scale, codes, residual + start, keep, block)


@triton.jit  # type: ignore[untyped-decorator]
def _compress_block(vector, numel, scale, codes, residual, keep: tl.constexpr, block: tl.constexpr):  # type: ignore[no-untyped-def]
    places = tl.arange(0, block)
    value = tl.load(vector + places, mask=places < numel, other=0.0)
    exact = tl.div_rn(value, tl.where(scale > 0, scale, 1.0))
    exact = tl.where(exact < 127, exact, 127.0)
    exact = tl.where(exact > -127, exact, -127.0)
    rounded = (exact + _WHOLE) - _WHOLE
    tl.store(codes + places, rounded.to(tl.int8).to(tl.uint8, bitcast=True), mask=places < numel)
    if keep:
        tl.store(residual + places, value - rounded * scale, mask=places < numel)


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
    places = tl.arange(0, block)
    if accumulate:
        total = tl.load(out + start + places, mask=places < numel)
    for number in tl.static_range(count):
        codes = (payloads[number] + _SCALE_BYTES + start).to(tl.pointer_type(tl.int8))
        code = tl.load(codes + places, mask=places < numel, other=0)
        term = code.to(tl.float32) * weighted_scale(payloads[number], weight)
        if accumulate or number > 0:
            total += term
        else:
            total = term
    tl.store(out + start + places, total, mask=places < numel)
