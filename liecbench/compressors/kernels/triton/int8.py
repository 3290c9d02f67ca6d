"""GPU kernels of the 8-bit cast."""

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.kernels.triton import blocks as blocks_gpu
from liecbench.compressors.kernels.triton.blocks import by_blocks
from liecbench.compressors.kernels.triton.magnitude import largest_magnitude
from liecbench.compressors.kernels.triton.summation import weighted_scale

_BLOCK = 1024
_SCALE_BYTES = tl.constexpr(4)
_LEAST_SCALE = tl.constexpr(2.0**-149)
# Adding it leaves no room for a fraction: what remains is rounded to the nearest whole number, ties to even.
_WHOLE = tl.constexpr(1.5 * 2**23)


def compress(vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
    """max|v| / 127 and v in its multiples into ``payload``, what they leave in ``residual``: it may be the vector."""
    largest = torch.empty(1, device=vector.device)
    largest_magnitude(vector, largest)
    blocks_gpu.compress(_compress, _BLOCK, vector, payload, residual, largest)


def sum_messages(payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
    """Σ scale · ``weight`` · code in the order of ``payloads``, written to ``out`` or added to it."""
    blocks_gpu.sum_messages(_sum_messages, _BLOCK, payloads, out, accumulate, weight)


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _compress(vector, numel, payload, residual, largest, keep: tl.constexpr, size: tl.constexpr):  # type: ignore[no-untyped-def]
    by_blocks(_compress_block, numel, size, (vector, payload, residual, largest, keep, size))


@triton.jit  # type: ignore[untyped-decorator]
def _compress_block(vector, payload, residual, largest, keep: tl.constexpr, size: tl.constexpr, start, numel):  # type: ignore[no-untyped-def]
    exact = tl.load(largest).to(tl.float64) / 127
    scale = tl.where((exact > 0) & (exact < _LEAST_SCALE), _LEAST_SCALE, exact).to(tl.float32)
    if start == 0:
        tl.store(payload.to(tl.pointer_type(tl.float32)), scale)
    places = tl.arange(0, size)
    value = tl.load(vector + start + places, mask=places < numel, other=0.0)
    level = tl.div_rn(value, tl.where(scale > 0, scale, 1.0))
    level = tl.where(level < 127, level, 127.0)
    level = tl.where(level > -127, level, -127.0)
    level = (level + _WHOLE) - _WHOLE
    code = level.to(tl.int8).to(tl.uint8, bitcast=True)
    tl.store(payload + _SCALE_BYTES + start + places, code, mask=places < numel)
    if keep:
        tl.store(residual + start + places, value - level * scale, mask=places < numel)


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _sum_messages(  # type: ignore[no-untyped-def]
    out, numel, payloads, weight: tl.float64, count: tl.constexpr, accumulate: tl.constexpr, size: tl.constexpr
):
    by_blocks(_sum_block, numel, size, (out, payloads, weight, count, accumulate, size))


@triton.jit  # type: ignore[untyped-decorator]
def _sum_block(  # type: ignore[no-untyped-def]
    out, payloads, weight, count: tl.constexpr, accumulate: tl.constexpr, size: tl.constexpr, start, numel
):
    places = tl.arange(0, size)
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
