"""GPU kernels of random-k: they take entries at given positions, and add them there."""

import torch
import triton
import triton.language as tl
from torch import Tensor

_LOOKED_AT = 4096
_PROGRAMS = 1024
_BLOCK = 512


def take(vector: Tensor, positions: Tensor, scale: float, entries: Tensor, residual: Tensor | None) -> None:
    """``scale`` · v at ``positions`` and what that leaves in ``residual``, which may be the vector.

    The first entry becomes NaN where any of v is not finite.
    """
    bits, largest = vector.view(torch.int32), torch.zeros(1, dtype=torch.int32, device=vector.device)
    left = bits if residual is None else residual.view(torch.int32)
    copies = left.data_ptr() != bits.data_ptr()
    programs = min(_PROGRAMS, triton.cdiv(vector.numel(), _LOOKED_AT))
    _look[(programs,)](bits, vector.numel(), largest, left, copies=copies, size=_LOOKED_AT, enable_fp_fusion=False)
    grid = (triton.cdiv(positions.numel(), _BLOCK),)
    kept = vector if residual is None else residual
    _take[grid](
        vector,
        positions,
        positions.numel(),
        scale,
        largest,
        entries,
        kept,
        keep=residual is not None,
        size=_BLOCK,
        enable_fp_fusion=False,
    )


def add_at(positions: Tensor, entries: Tensor, weight: float, out: Tensor) -> None:
    """``weight`` times each of ``entries`` added to ``out`` at its position; no two of these are the same."""
    grid = (triton.cdiv(positions.numel(), _BLOCK),)
    _add_at[grid](positions, positions.numel(), entries, weight, out, size=_BLOCK, enable_fp_fusion=False)


@triton.jit  # type: ignore[untyped-decorator]
def _look(bits, numel, largest, left, copies: tl.constexpr, size: tl.constexpr):  # type: ignore[no-untyped-def]
    """The largest magnitude, as int32, and a copy of the vector in the same pass."""
    most = tl.zeros([size], tl.int32)
    first = tl.program_id(0).to(tl.int64) * size
    for start in range(first, numel, tl.num_programs(0) * size):
        places = start + tl.arange(0, size)
        value = tl.load(bits + places, mask=places < numel, other=0)
        most = tl.maximum(most, value & 0x7FFFFFFF)
        if copies:
            tl.store(left + places, value, mask=places < numel)
    tl.atomic_max(largest, tl.max(most), sem="relaxed")


@triton.jit  # type: ignore[untyped-decorator]
def _take(vector, positions, kept, scale, largest, entries, residual, keep: tl.constexpr, size: tl.constexpr):  # type: ignore[no-untyped-def]
    number = tl.program_id(0).to(tl.int64) * size + tl.arange(0, size)
    inside = number < kept
    position = tl.load(positions + number, mask=inside, other=0)
    value = tl.load(vector + position, mask=inside, other=0.0)
    entry = value * scale
    spoilt = (number == 0) & (tl.load(largest) >= 0x7F800000)
    tl.store(entries + number, tl.where(spoilt, float("nan"), entry), mask=inside)
    if keep:
        tl.store(residual + position, value - entry, mask=inside)


@triton.jit  # type: ignore[untyped-decorator]
def _add_at(positions, kept, entries, weight, out, size: tl.constexpr):  # type: ignore[no-untyped-def]
    number = tl.program_id(0).to(tl.int64) * size + tl.arange(0, size)
    inside = number < kept
    position = tl.load(positions + number, mask=inside, other=0)
    value = tl.load(out + position, mask=inside, other=0.0)
    tl.store(out + position, value + weight * tl.load(entries + number, mask=inside, other=0.0), mask=inside)
