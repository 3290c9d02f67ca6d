"""GPU kernels of random-k: they take entries at given positions, and add them there."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.kernels.triton import blocks as blocks_gpu
from liecbench.compressors.kernels.triton.blocks import by_blocks
from liecbench.compressors.kernels.triton.magnitude import largest_magnitude

_BLOCK = 512


def take(vector: Tensor, positions: Tensor, scale: float, entries: Tensor, residual: Tensor | None) -> None:
    """``scale`` · v at ``positions`` and what that leaves in ``residual``, which may be the vector.

    The first entry becomes NaN where any of v is not finite.
    """
    largest, left = torch.empty(1, device=vector.device), vector if residual is None else residual
    largest_magnitude(vector, largest, None if left.data_ptr() == vector.data_ptr() else left)
    keep = residual is not None
    blocks_gpu.launch(_take, _BLOCK, positions, vector, scale, largest, entries, left, keep=keep)


def add_at(positions: Tensor, entries: Tensor, weight: float, out: Tensor) -> None:
    """``weight`` times each of ``entries`` added to ``out`` at its position; no two of these are the same."""
    blocks_gpu.launch(_add_at, _BLOCK, positions, entries, weight, out)


@triton.jit(do_not_specialize=["kept"])  # type: ignore[untyped-decorator]
def _take(  # type: ignore[no-untyped-def]
    positions, kept, vector, scale: tl.float32, largest, entries, residual, keep: tl.constexpr, size: tl.constexpr
):
    by_blocks(_take_block, kept, size, (positions, vector, scale, largest, entries, residual, keep, size))


@triton.jit  # type: ignore[untyped-decorator]
def _take_block(  # type: ignore[no-untyped-def]
    positions, vector, scale, largest, entries, residual, keep: tl.constexpr, size: tl.constexpr, start, kept
):
    number = tl.arange(0, size)
    position = tl.load(positions + start + number, mask=number < kept, other=0)
    value = tl.load(vector + position, mask=number < kept, other=0.0)
    entry = value * scale
    spoilt = (start + number == 0) & (tl.load(largest.to(tl.pointer_type(tl.int32))) >= 0x7F800000)
    tl.store(entries + start + number, tl.where(spoilt, float("nan"), entry), mask=number < kept)
    if keep:
        tl.store(residual + position, value - entry, mask=number < kept)


@triton.jit(do_not_specialize=["kept"])  # type: ignore[untyped-decorator]
def _add_at(positions, kept, entries, weight: tl.float32, out, size: tl.constexpr):  # type: ignore[no-untyped-def]
    by_blocks(_add_at_block, kept, size, (positions, entries, weight, out, size))


@triton.jit  # type: ignore[untyped-decorator]
def _add_at_block(positions, entries, weight, out, size: tl.constexpr, start, kept):  # type: ignore[no-untyped-def]
    number = tl.arange(0, size)
    position = tl.load(positions + start + number, mask=number < kept, other=0)
    entry = tl.load(entries + start + number, mask=number < kept, other=0.0)
    value = tl.load(out + position, mask=number < kept, other=0.0)
    tl.store(out + position, value + weight * entry, mask=number < kept)
