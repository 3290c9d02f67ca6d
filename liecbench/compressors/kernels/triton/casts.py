"""GPU kernels of the 16-bit casts, on the bits of float32 as those of the CPU: so both round alike."""

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.kernels.cpu import casts as casts_cpu
from liecbench.compressors.kernels.triton import blocks as blocks_gpu
from liecbench.compressors.kernels.triton.blocks import by_blocks

_BLOCK = 1024
_INFINITY = tl.constexpr(int(casts_cpu.INFINITY))
_LARGEST_HALF = tl.constexpr(int(casts_cpu.LARGEST_HALF))
_LEAST_NORMAL_HALF = tl.constexpr(int(casts_cpu.LEAST_NORMAL_HALF))
_LARGEST_BRAIN = tl.constexpr(int(casts_cpu.LARGEST_BRAIN))
_BIAS = tl.constexpr(int(casts_cpu.BIAS))
_STEP = tl.constexpr(float(casts_cpu.STEP))
_HALF_BITS = tl.constexpr(int(casts_cpu.HALF_BITS))


def compress(vector: Tensor, payload: Tensor, residual: Tensor | None, *, half: bool) -> None:
    """float16 where ``half``, bfloat16 otherwise, and what they leave in ``residual``, which may be the vector."""
    blocks_gpu.compress(_compress, _BLOCK, vector, payload.view(torch.int16), residual, half=half)


def sum_messages(payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float, *, half: bool) -> None:
    """Σ ``weight`` times what ``payloads`` stand for, in their order, written to ``out`` or added to it."""
    codes = [payload.view(torch.int16) for payload in payloads]
    blocks_gpu.sum_messages(_sum_messages, _BLOCK, codes, out, accumulate, weight, half=half)


@triton.jit
def _to_half(bits):  # type: ignore[no-untyped-def]
    magnitude = bits & 0x7FFFFFFF
    magnitude = tl.where((magnitude > _LARGEST_HALF) & (magnitude < _INFINITY), _LARGEST_HALF, magnitude)
    normal = (magnitude - _BIAS + 0xFFF + ((magnitude >> 13) & 1)) >> 13
    # The last bit of a float32 from 0.5 to 1 is worth the step of float16 below its least normal number.
    shifted = tl.minimum(magnitude, _LEAST_NORMAL_HALF).to(tl.float32, bitcast=True) + 0.5
    finite = tl.where(magnitude < _LEAST_NORMAL_HALF, shifted.to(tl.int32, bitcast=True) - _HALF_BITS, normal)
    special = tl.where(magnitude == _INFINITY, 0x7C00, 0x7E00)
    return ((bits >> 16) & 0x8000) | tl.where(magnitude >= _INFINITY, special, finite)


@triton.jit
def _to_brain(bits):  # type: ignore[no-untyped-def]
    magnitude = bits & 0x7FFFFFFF
    magnitude = tl.where((magnitude > _LARGEST_BRAIN) & (magnitude < _INFINITY), _LARGEST_BRAIN, magnitude)
    rounded = (tl.minimum(magnitude, _INFINITY) + 0x7FFF + ((magnitude >> 16) & 1)) >> 16
    return ((bits >> 16) & 0x8000) | tl.where(magnitude > _INFINITY, 0x7FC0, rounded)


@triton.jit  # type: ignore[untyped-decorator]
def _decoded(code, half: tl.constexpr):  # type: ignore[no-untyped-def]
    """What the lowest 16 bits stand for."""
    if half:
        magnitude = code & 0x7FFF
        normal = (magnitude << 13) + _BIAS + tl.where(magnitude >= 0x7C00, _BIAS, 0)
        small = (magnitude.to(tl.float32) * _STEP).to(tl.int32, bitcast=True)
        bits = tl.where(magnitude < 0x400, small, normal) | ((code & 0x8000) << 16)
    else:
        bits = code << 16
    return bits.to(tl.float32, bitcast=True)


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _compress(vector, numel, codes, residual, half: tl.constexpr, keep: tl.constexpr, size: tl.constexpr):  # type: ignore[no-untyped-def]
    by_blocks(_compress_block, numel, size, (vector, codes, residual, half, keep, size))


@triton.jit  # type: ignore[untyped-decorator]
def _compress_block(  # type: ignore[no-untyped-def]
    vector, codes, residual, half: tl.constexpr, keep: tl.constexpr, size: tl.constexpr, start, numel
):
    places = tl.arange(0, size)
    value = tl.load(vector + start + places, mask=places < numel, other=0.0)
    bits = value.to(tl.int32, bitcast=True)
    code = _to_half(bits) if half else _to_brain(bits)
    tl.store(codes + start + places, code.to(tl.int16), mask=places < numel)
    if keep:
        tl.store(residual + start + places, value - _decoded(code, half), mask=places < numel)


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _sum_messages(  # type: ignore[no-untyped-def]
    out,
    numel,
    codes,
    weight: tl.float32,
    count: tl.constexpr,
    accumulate: tl.constexpr,
    half: tl.constexpr,
    size: tl.constexpr,
):
    by_blocks(_sum_block, numel, size, (out, codes, weight, count, accumulate, half, size))


@triton.jit  # type: ignore[untyped-decorator]
def _sum_block(  # type: ignore[no-untyped-def]
    out,
    codes,
    weight,
    count: tl.constexpr,
    accumulate: tl.constexpr,
    half: tl.constexpr,
    size: tl.constexpr,
    start,
    numel,
):
    places = tl.arange(0, size)
    if accumulate:
        total = tl.load(out + start + places, mask=places < numel)
    for number in tl.static_range(count):
        code = tl.load(codes[number] + start + places, mask=places < numel, other=0)
        term = weight * _decoded(code.to(tl.int32), half)
        if accumulate or number > 0:
            total += term
        else:
            total = term
    tl.store(out + start + places, total, mask=places < numel)
