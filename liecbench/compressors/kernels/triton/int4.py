"""GPU implementation of the compressor Int4. ``kernels/cpu/int4.py`` describes how levels are packed."""

from collections.abc import Sequence
from dataclasses import dataclass

import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.int4 import Int4
from liecbench.compressors.kernels.cpu import int4 as cpu
from liecbench.compressors.kernels.dispatch import Operations
from liecbench.compressors.kernels.triton.blocks import launch_encode, launch_sum
from liecbench.compressors.kernels.triton.group_levels import (
    block_size_for,
    by_groups,
    is_inside,
    largest_bits,
    nearest_level,
    scale_for,
    weighted_scales,
)
from liecbench.compressors.kernels.triton.magnitude import all_values_finite

_LARGEST_LEVEL = tl.constexpr(int(cpu.LARGEST_LEVEL))
_OFFSET = tl.constexpr(cpu.OFFSET)


@dataclass(frozen=True, slots=True)
class Int4OnGpu(Operations):
    """The GPU implementation of the compressor ``Int4``."""

    compressor: Int4

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the scale of each group and the level of each element to ``payload``.

        The level of an element v is the integer nearest to v / scale. Unless ``residual`` is None, write
        v − level · scale to ``residual``.
        """
        group = self.compressor.values_per_scale
        launch_encode(_encode, block_size_for(group), vector, payload, residual, group=group)

    def sum_payloads(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        """Write ``weight`` × the sum of the decoded payloads to ``out``, or add this product if ``accumulate``.

        A payload has one scale per group of values, and one level per value. A value decodes to scale · level.
        """
        group = self.compressor.values_per_scale
        launch_sum(_sum, block_size_for(group), payloads, out, accumulate, weight, group=group)

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether the scales of all groups in ``payload`` are finite, as a boolean tensor of shape [].

        A scale is not finite if an element of its group was not. ``numel`` is the number of elements of the compressed
        vector.
        """
        scales, _ = self.compressor.parts(payload, numel)
        return all_values_finite(scales)


@triton.jit  # type: ignore[untyped-decorator]
def _places(row, length, whole: tl.constexpr, group: tl.constexpr):  # type: ignore[no-untyped-def]
    """Return the indices of the elements in the first and in the second half of each group, and a mask for each half.

    The indices count from the start of this program's block. They have one row per group and ``group`` / 2 columns. For
    example, let ``group`` be 8, and let the last group have only the elements 8 to 12. Its first half is 8, 9, 10, with
    the mask True, True, True, False. Its second half is 11, 12, with the mask True, True, False, False.

    Args:
        row: The numbers of the groups in the block: 0, 1, 2 and so on.
        length: The number of elements of the block.
        whole: True if every group has ``group`` elements. Both masks are then the constant True.
        group: The number of elements of a whole group.

    Returns:
        (indices of the first halves, indices of the second halves, mask of the first, mask of the second).
    """
    column, first = tl.arange(0, group // 2)[None, :], row[:, None] * group
    half, low_inside, high_inside = group // 2, True, True
    if not whole:
        size = tl.minimum(tl.maximum(length - first, 0), group)
        half = (size + 1) // 2
        low_inside = column < half
        high_inside = low_inside & (half + column < size)
    return first + column, first + half + column, low_inside, high_inside


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _encode(  # type: ignore[no-untyped-def]
    vector, numel, payload, residual, group: tl.constexpr, has_residual: tl.constexpr, block_size: tl.constexpr
):
    by_groups(_encode_block, numel, block_size, group, (vector, payload, residual, has_residual))


@triton.jit  # type: ignore[untyped-decorator]
def _encode_block(  # type: ignore[no-untyped-def]
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
    packed, vector, residual = payload + offset + start // 2, vector + start, residual + start
    row = tl.arange(0, block_size // group)
    low, high, low_inside, high_inside = _places(row, length, whole, group)
    low_value = tl.load(vector + low, mask=low_inside, other=0.0)
    high_value = tl.load(vector + high, mask=high_inside, other=0.0)
    scale = scale_for(tl.maximum(largest_bits(low_value), largest_bits(high_value)), _LARGEST_LEVEL)
    tl.store(scales + row, scale, mask=is_inside(row * group, length, whole))
    low_level = nearest_level(low_value, scale, _LARGEST_LEVEL)
    high_level = nearest_level(high_value, scale, _LARGEST_LEVEL)
    high_code = tl.where(high_inside, high_level.to(tl.int32) + _OFFSET, 0)
    code = low_level.to(tl.int32) + _OFFSET | high_code << 4
    byte = row[:, None] * (group // 2) + tl.arange(0, group // 2)[None, :]
    tl.store(packed + byte, code.to(tl.uint8), mask=low_inside)
    if has_residual:
        tl.store(residual + low, low_value - low_level * scale[:, None], mask=low_inside)
        tl.store(residual + high, high_value - high_level * scale[:, None], mask=high_inside)


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _sum(  # type: ignore[no-untyped-def]
    out,
    numel,
    payloads,
    weight: tl.float64,
    count: tl.constexpr,
    accumulate: tl.constexpr,
    group: tl.constexpr,
    block_size: tl.constexpr,
):
    by_groups(_sum_block, numel, block_size, group, (out, payloads, weight, count, accumulate))


@triton.jit  # type: ignore[untyped-decorator]
def _sum_block(  # type: ignore[no-untyped-def]
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
    low, high, low_inside, high_inside = _places(row, length, whole, group)
    byte = row[:, None] * (group // 2) + tl.arange(0, group // 2)[None, :]
    if accumulate:
        low_total = tl.load(out + start + low, mask=low_inside)
        high_total = tl.load(out + start + high, mask=high_inside)
    for number in tl.static_range(count):
        scales = payloads[number].to(tl.pointer_type(tl.float32)) + start // group + row
        scale = weighted_scales(scales, is_inside(row * group, length, whole), weight)
        code = tl.load(payloads[number] + offset + start // 2 + byte, mask=low_inside, other=0).to(tl.int32)
        low_term = ((code & 15) - _OFFSET).to(tl.float32) * scale
        high_term = ((code >> 4) - _OFFSET).to(tl.float32) * scale
        if accumulate or number > 0:
            low_total += low_term
            high_total += high_term
        else:
            low_total, high_total = low_term, high_term
    tl.store(out + start + low, low_total, mask=low_inside)
    tl.store(out + start + high, high_total, mask=high_inside)
