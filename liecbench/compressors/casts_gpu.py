"""GPU kernels of the 16-bit casts, on the bits of float32 as those of the CPU: so both round alike."""

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

_BLOCK = 1024
# As many messages as a launch takes; with more, their sum takes more passes.
_AT_ONCE = 16
_INFINITY = tl.constexpr(0x7F800000)
_LARGEST_HALF = tl.constexpr(0x477FE000)
_LEAST_NORMAL_HALF = tl.constexpr(0x38800000)
_LARGEST_BRAIN = tl.constexpr(0x7F7F0000)
_BIAS = tl.constexpr((127 - 15) << 23)
_STEP = tl.constexpr(2.0**-24)
_HALF_BITS = tl.constexpr(0x3F000000)


def compress(vector: Tensor, payload: Tensor, residual: Tensor | None, *, half: bool) -> None:
    """float16 where ``half``, bfloat16 otherwise, and what they leave in ``residual``, which may be the vector."""
    grid = (triton.cdiv(vector.numel(), _BLOCK),)
    left = vector if residual is None else residual
    _compress[grid](
        vector,
        vector.numel(),
        payload.view(torch.int16),
        left,
        half=half,
        keep=residual is not None,
        size=_BLOCK,
        enable_fp_fusion=False,
    )


def add_up(payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float, *, half: bool) -> None:
    """Σ ``weight`` times what ``payloads`` stand for, in their order, written to ``out`` or added to it."""
    grid = (triton.cdiv(out.numel(), _BLOCK),)
    for first in range(0, len(payloads), _AT_ONCE):
        codes = tuple(payload.view(torch.int16) for payload in payloads[first : first + _AT_ONCE])
        _add_up[grid](
            codes,
            out.numel(),
            weight,
            out,
            count=len(codes),
            accumulate=accumulate or first > 0,
            half=half,
            size=_BLOCK,
            enable_fp_fusion=False,
        )


def is_finite(payload: Tensor, infinity: int) -> Tensor:
    """Whether all magnitudes are below that of ``infinity``: a boolean of shape []."""
    return (payload.view(torch.int16) & 0x7FFF).max() < infinity


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


@triton.jit  # type: ignore[untyped-decorator]
def _compress(vector, numel, codes, residual, half: tl.constexpr, keep: tl.constexpr, size: tl.constexpr):  # type: ignore[no-untyped-def]
    places = tl.program_id(0).to(tl.int64) * size + tl.arange(0, size)
    value = tl.load(vector + places, mask=places < numel, other=0.0)
    bits = value.to(tl.int32, bitcast=True)
    code = _to_half(bits) if half else _to_brain(bits)
    tl.store(codes + places, code.to(tl.int16), mask=places < numel)
    if keep:
        tl.store(residual + places, value - _decoded(code, half), mask=places < numel)


@triton.jit  # type: ignore[untyped-decorator]
def _add_up(  # type: ignore[no-untyped-def]
    codes, numel, weight, out, count: tl.constexpr, accumulate: tl.constexpr, half: tl.constexpr, size: tl.constexpr
):
    places = tl.program_id(0).to(tl.int64) * size + tl.arange(0, size)
    inside = places < numel
    total = weight * _decoded(tl.load(codes[0] + places, mask=inside, other=0).to(tl.int32), half)
    if accumulate:
        total += tl.load(out + places, mask=inside, other=0.0)
    for i in tl.static_range(1, count):
        total += weight * _decoded(tl.load(codes[i] + places, mask=inside, other=0).to(tl.int32), half)
    tl.store(out + places, total, mask=inside)
