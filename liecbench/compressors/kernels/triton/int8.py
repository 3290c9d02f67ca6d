"""GPU implementation of the compressor Int8."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.codecs.scale import SCALE_BYTES
from liecbench.compressors.int8 import Int8
from liecbench.compressors.kernels.cpu import int8 as cpu
from liecbench.compressors.kernels.dispatch import Operations
from liecbench.compressors.kernels.layout import SMALLEST_SCALE
from liecbench.compressors.kernels.triton.blocks import by_blocks, launch_encode, launch_sum
from liecbench.compressors.kernels.triton.group_levels import (
    block_size_for,
    by_groups,
    is_inside,
    largest_bits,
    nearest_level,
    scale_for,
    weighted_scales,
)
from liecbench.compressors.kernels.triton.magnitude import all_values_finite, largest_magnitude
from liecbench.compressors.kernels.triton.summation import weighted_scale

_BLOCK = 1024
_SCALE_BYTES = tl.constexpr(SCALE_BYTES)
_SMALLEST_SCALE = tl.constexpr(SMALLEST_SCALE)
_LARGEST_LEVEL = tl.constexpr(int(cpu.LARGEST_LEVEL))
_ROUNDER = tl.constexpr(float(cpu.ROUNDER))


@dataclass(frozen=True, slots=True)
class Int8OnGpu(Operations):
    """The GPU implementation of the compressor ``Int8``."""

    compressor: Int8

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the scales and the levels of a vector to ``payload``.

        The scale of a group of values is max|v| / 127. The level of a value v is the integer nearest to v / scale.
        Unless ``residual`` is None, write v − level · scale to ``residual``.
        """
        group = self.compressor.values_per_scale
        if group is None:
            largest = torch.empty(1, device=vector.device)
            largest_magnitude(vector, largest)
            launch_encode(_encode, _BLOCK, vector, payload, residual, largest)
        else:
            launch_encode(_encode_groups, block_size_for(group), vector, payload, residual, group=group)

    def sum_payloads(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        """Write ``weight`` × the sum of the decoded payloads to ``out``, or add this product if ``accumulate``.

        A value decodes to scale · level. A payload has one level per value, and one scale per group of values. If
        ``compressor.values_per_scale`` is None, all values form one group.
        """
        group = self.compressor.values_per_scale
        if group is None:
            launch_sum(_sum, _BLOCK, payloads, out, accumulate, weight)
        else:
            launch_sum(_sum_groups, block_size_for(group), payloads, out, accumulate, weight, group=group)

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether all scales are finite. NaN or infinity in a group makes the group's scale NaN or infinite."""
        scales, _ = self.compressor.parts(payload, numel)
        return all_values_finite(scales)


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _encode(vector, numel, payload, residual, largest, has_residual: tl.constexpr, block_size: tl.constexpr):  # type: ignore[no-untyped-def]
    by_blocks(_encode_block, numel, block_size, (vector, payload, residual, largest, has_residual, block_size))


@triton.jit  # type: ignore[untyped-decorator]
def _encode_block(  # type: ignore[no-untyped-def]
    vector, payload, residual, largest, has_residual: tl.constexpr, block_size: tl.constexpr, start, length
):
    exact = tl.load(largest).to(tl.float64) / 127
    scale = tl.where((exact > 0) & (exact < _SMALLEST_SCALE), _SMALLEST_SCALE, exact).to(tl.float32)
    if start == 0:
        tl.store(payload.to(tl.pointer_type(tl.float32)), scale)
    index = tl.arange(0, block_size)
    value = tl.load(vector + start + index, mask=index < length, other=0.0)
    level = tl.div_rn(value, tl.where(scale > 0, scale, 1.0))
    level = tl.where(level < 127, level, 127.0)
    level = tl.where(level > -127, level, -127.0)
    level = (level + _ROUNDER) - _ROUNDER
    code = level.to(tl.int8).to(tl.uint8, bitcast=True)
    tl.store(payload + _SCALE_BYTES + start + index, code, mask=index < length)
    if has_residual:
        tl.store(residual + start + index, value - level * scale, mask=index < length)


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _sum(  # type: ignore[no-untyped-def]
    out, numel, payloads, weight: tl.float64, count: tl.constexpr, accumulate: tl.constexpr, block_size: tl.constexpr
):
    by_blocks(_sum_block, numel, block_size, (out, payloads, weight, count, accumulate, block_size))


@triton.jit  # type: ignore[untyped-decorator]
def _sum_block(  # type: ignore[no-untyped-def]
    out, payloads, weight, count: tl.constexpr, accumulate: tl.constexpr, block_size: tl.constexpr, start, length
):
    index = tl.arange(0, block_size)
    if accumulate:
        total = tl.load(out + start + index, mask=index < length)
    for number in tl.static_range(count):
        levels = (payloads[number] + _SCALE_BYTES + start).to(tl.pointer_type(tl.int8))
        level = tl.load(levels + index, mask=index < length, other=0)
        term = level.to(tl.float32) * weighted_scale(payloads[number], weight)
        if accumulate or number > 0:
            total += term
        else:
            total = term
    tl.store(out + start + index, total, mask=index < length)


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _encode_groups(  # type: ignore[no-untyped-def]
    vector, numel, payload, residual, group: tl.constexpr, has_residual: tl.constexpr, block_size: tl.constexpr
):
    by_groups(_encode_rows, numel, block_size, group, (vector, payload, residual, has_residual))


@triton.jit  # type: ignore[untyped-decorator]
def _encode_rows(  # type: ignore[no-untyped-def]
    vector,
    payload,
    residual,
    has_residual: tl.constexpr,
    block_size: tl.constexpr,
    group: tl.constexpr,
    offset,
    start,
    length,
    whole: tl.constexpr,
):
    scales = payload.to(tl.pointer_type(tl.float32)) + start // group
    levels, vector, residual = payload + offset + start, vector + start, residual + start
    row = tl.arange(0, block_size // group)
    index = row[:, None] * group + tl.arange(0, group)[None, :]
    inside = is_inside(index, length, whole)
    value = tl.load(vector + index, mask=inside, other=0.0)
    scale = scale_for(largest_bits(value), _LARGEST_LEVEL)
    tl.store(scales + row, scale, mask=is_inside(row * group, length, whole))
    level = nearest_level(value, scale, _LARGEST_LEVEL)
    tl.store(levels + index, level.to(tl.int8).to(tl.uint8, bitcast=True), mask=inside)
    if has_residual:
        tl.store(residual + index, value - level * scale[:, None], mask=inside)


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _sum_groups(  # type: ignore[no-untyped-def]
    out,
    numel,
    payloads,
    weight: tl.float64,
    count: tl.constexpr,
    accumulate: tl.constexpr,
    group: tl.constexpr,
    block_size: tl.constexpr,
):
    by_groups(_sum_rows, numel, block_size, group, (out, payloads, weight, count, accumulate))


@triton.jit  # type: ignore[untyped-decorator]
def _sum_rows(  # type: ignore[no-untyped-def]
    out,
    payloads,
    weight,
    count: tl.constexpr,
    accumulate: tl.constexpr,
    block_size: tl.constexpr,
    group: tl.constexpr,
    offset,
    start,
    length,
    whole: tl.constexpr,
):
    row = tl.arange(0, block_size // group)
    index = row[:, None] * group + tl.arange(0, group)[None, :]
    inside = is_inside(index, length, whole)
    if accumulate:
        total = tl.load(out + start + index, mask=inside)
    for number in tl.static_range(count):
        scales = payloads[number].to(tl.pointer_type(tl.float32)) + start // group + row
        scale = weighted_scales(scales, is_inside(row * group, length, whole), weight)
        levels = (payloads[number] + offset + start).to(tl.pointer_type(tl.int8))
        term = tl.load(levels + index, mask=inside, other=0).to(tl.float32) * scale
        if accumulate or number > 0:
            total += term
        else:
            total = term
    tl.store(out + start + index, total, mask=inside)
