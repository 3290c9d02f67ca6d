"""GPU implementation of the compressors FP16 and BF16.

The kernels compute on the bits of float32, as the CPU kernels do, so that CPU and GPU round in the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.half_precision import BF16, FP16
from liecbench.compressors.kernels.cpu import half_precision as cpu
from liecbench.compressors.kernels.dispatch import Operations
from liecbench.compressors.kernels.triton.blocks import by_blocks, launch_encode, launch_sum
from liecbench.compressors.kernels.triton.magnitude import all_values_finite

_BLOCK = 1024
_INFINITY = tl.constexpr(int(cpu.INFINITY))
_LARGEST_FLOAT16 = tl.constexpr(int(cpu.LARGEST_FLOAT16))
_SMALLEST_NORMAL_FLOAT16 = tl.constexpr(int(cpu.SMALLEST_NORMAL_FLOAT16))
_LARGEST_BFLOAT16 = tl.constexpr(int(cpu.LARGEST_BFLOAT16))
_BIAS_DIFFERENCE = tl.constexpr(int(cpu.BIAS_DIFFERENCE))
_FLOAT16_STEP = tl.constexpr(float(cpu.FLOAT16_STEP))
_ONE_HALF_BITS = tl.constexpr(int(cpu.ONE_HALF_BITS))


@dataclass(frozen=True, slots=True)
class HalfPrecisionOnGpu(Operations):
    """The GPU implementation of the compressors ``FP16`` and ``BF16``."""

    compressor: FP16 | BF16

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the values of ``vector``, rounded to 16 bits, to ``payload``.

        Unless ``residual`` is None, also write ``vector`` − C(``vector``) to ``residual``.
        """
        codes = payload.view(torch.int16)
        launch_encode(_encode, _BLOCK, vector, codes, residual, is_float16=self.compressor.is_float16)

    def sum_payloads(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        """Write Σ ``weight`` · value over the payloads to ``out``, or add it to ``out`` if ``accumulate``."""
        codes = [payload.view(torch.int16) for payload in payloads]
        launch_sum(_sum, _BLOCK, codes, out, accumulate, weight, is_float16=self.compressor.is_float16)

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether no value in ``payload`` is infinite or NaN."""
        return all_values_finite(payload.view(torch.int16), self.compressor.infinity_code)


@triton.jit
def _to_float16(bits):  # type: ignore[no-untyped-def]
    magnitude = bits & 0x7FFFFFFF
    magnitude = tl.where((magnitude > _LARGEST_FLOAT16) & (magnitude < _INFINITY), _LARGEST_FLOAT16, magnitude)
    normal = (magnitude - _BIAS_DIFFERENCE + 0xFFF + ((magnitude >> 13) & 1)) >> 13
    # Below its smallest normal number, float16 has the same steps as float32 between 0.5 and 1, so adding 0.5 rounds a
    # value to a step of float16.
    shifted = tl.minimum(magnitude, _SMALLEST_NORMAL_FLOAT16).to(tl.float32, bitcast=True) + 0.5
    small = shifted.to(tl.int32, bitcast=True) - _ONE_HALF_BITS
    finite = tl.where(magnitude < _SMALLEST_NORMAL_FLOAT16, small, normal)
    special = tl.where(magnitude == _INFINITY, 0x7C00, 0x7E00)
    return ((bits >> 16) & 0x8000) | tl.where(magnitude >= _INFINITY, special, finite)


@triton.jit
def _to_bfloat16(bits):  # type: ignore[no-untyped-def]
    magnitude = bits & 0x7FFFFFFF
    magnitude = tl.where((magnitude > _LARGEST_BFLOAT16) & (magnitude < _INFINITY), _LARGEST_BFLOAT16, magnitude)
    rounded = (tl.minimum(magnitude, _INFINITY) + 0x7FFF + ((magnitude >> 16) & 1)) >> 16
    return ((bits >> 16) & 0x8000) | tl.where(magnitude > _INFINITY, 0x7FC0, rounded)


@triton.jit  # type: ignore[untyped-decorator]
def _decode(code, is_float16: tl.constexpr):  # type: ignore[no-untyped-def]
    """Return the float32 values of codes: float16 codes if ``is_float16`` is True, else bfloat16 codes.

    Each code is in the lowest 16 bits of an int32.
    """
    if is_float16:
        magnitude = code & 0x7FFF
        normal = (magnitude << 13) + _BIAS_DIFFERENCE + tl.where(magnitude >= 0x7C00, _BIAS_DIFFERENCE, 0)
        small = (magnitude.to(tl.float32) * _FLOAT16_STEP).to(tl.int32, bitcast=True)
        bits = tl.where(magnitude < 0x400, small, normal) | ((code & 0x8000) << 16)
    else:
        bits = code << 16
    return bits.to(tl.float32, bitcast=True)


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _encode(  # type: ignore[no-untyped-def]
    vector, numel, codes, residual, is_float16: tl.constexpr, has_residual: tl.constexpr, block_size: tl.constexpr
):
    by_blocks(_encode_block, numel, block_size, (vector, codes, residual, is_float16, has_residual, block_size))


@triton.jit  # type: ignore[untyped-decorator]
def _encode_block(  # type: ignore[no-untyped-def]
    vector,
    codes,
    residual,
    is_float16: tl.constexpr,
    has_residual: tl.constexpr,
    block_size: tl.constexpr,
    start,
    length,
):
    index = tl.arange(0, block_size)
    value = tl.load(vector + start + index, mask=index < length, other=0.0)
    bits = value.to(tl.int32, bitcast=True)
    code = _to_float16(bits) if is_float16 else _to_bfloat16(bits)
    tl.store(codes + start + index, code.to(tl.int16), mask=index < length)
    if has_residual:
        tl.store(residual + start + index, value - _decode(code, is_float16), mask=index < length)


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _sum(  # type: ignore[no-untyped-def]
    out,
    numel,
    codes,
    weight: tl.float32,
    count: tl.constexpr,
    accumulate: tl.constexpr,
    is_float16: tl.constexpr,
    block_size: tl.constexpr,
):
    by_blocks(_sum_block, numel, block_size, (out, codes, weight, count, accumulate, is_float16, block_size))


@triton.jit  # type: ignore[untyped-decorator]
def _sum_block(  # type: ignore[no-untyped-def]
    out,
    codes,
    weight,
    count: tl.constexpr,
    accumulate: tl.constexpr,
    is_float16: tl.constexpr,
    block_size: tl.constexpr,
    start,
    length,
):
    index = tl.arange(0, block_size)
    if accumulate:
        total = tl.load(out + start + index, mask=index < length)
    for number in tl.static_range(count):
        code = tl.load(codes[number] + start + index, mask=index < length, other=0)
        term = weight * _decode(code.to(tl.int32), is_float16)
        if accumulate or number > 0:
            total += term
        else:
            total = term
    tl.store(out + start + index, total, mask=index < length)
