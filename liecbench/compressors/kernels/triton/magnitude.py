"""GPU kernels that look at a vector's magnitudes before it is compressed; what they find stays there."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.kernels.cpu.magnitude import CHUNK
from liecbench.compressors.kernels.triton import blocks as blocks_gpu
from liecbench.compressors.kernels.triton.blocks import by_blocks
from liecbench.compressors.kernels.triton.summation import tree_sum

_HALVINGS = CHUNK.bit_length() - 1
_BLOCK = 8192
_FEW = 2048


def mean_magnitude(vector: Tensor, mean: Tensor, *, as_flag: bool = False) -> None:
    """mean|v|, or ``as_flag`` 1 where that is finite and NaN elsewhere, into ``mean``: float32 of shape [1]."""
    sums = _chunk_sums(vector)
    while sums.numel() > CHUNK:
        sums = _chunk_sums(sums)
    _mean[(1,)](
        sums,
        sums.numel(),
        vector.numel(),
        mean,
        as_flag=as_flag,
        halvings=_HALVINGS,
        size=CHUNK,
        enable_fp_fusion=False,
    )


def largest_magnitude(vector: Tensor, largest: Tensor, copy: Tensor | None = None) -> None:
    """max|v|, not finite where any value is, into ``largest``: float32 of shape [1]; and the vector into ``copy``."""
    found, to = largest.view(torch.int32).zero_(), vector if copy is None else copy
    bits, copied = vector.view(torch.int32), to.view(torch.int32)
    blocks_gpu.launch(_largest, _BLOCK, bits, found, copied, copies=copy is not None, num_warps=8)


def all_finite(values: Tensor, infinity: int = 0x7F800000) -> Tensor:
    """Whether every value is, of float32 or of the 16-bit format with that ``infinity``: a boolean of shape []."""
    bits = values.view(torch.int16 if values.element_size() == 2 else torch.int32)
    alone = bits.numel() <= _FEW
    flag = (torch.empty if alone else torch.ones)((), dtype=torch.bool, device=bits.device)
    options = {"infinity": infinity, "largest": torch.iinfo(bits.dtype).max, "alone": alone}
    blocks_gpu.launch(_all_finite, _FEW, bits, flag, **options)
    return flag


def _chunk_sums(terms: Tensor) -> Tensor:
    sums = torch.empty(triton.cdiv(terms.numel(), CHUNK), dtype=torch.float64, device=terms.device)
    blocks_gpu.launch(_sum_chunks, CHUNK, terms, sums, halvings=_HALVINGS)
    return sums


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _sum_chunks(terms, numel, sums, halvings: tl.constexpr, size: tl.constexpr):  # type: ignore[no-untyped-def]
    by_blocks(_sum_chunk, numel, size, (terms, sums, halvings, size))


@triton.jit  # type: ignore[untyped-decorator]
def _sum_chunk(terms, sums, halvings: tl.constexpr, size: tl.constexpr, start, numel):  # type: ignore[no-untyped-def]
    places = tl.arange(0, size)
    part = tl.load(terms + start + places, mask=places < numel, other=0.0)
    tl.store(sums + tl.program_id(0), tree_sum(tl.abs(part), halvings).to(tl.float64))


@triton.jit(do_not_specialize=["count", "numel"])  # type: ignore[untyped-decorator]
def _mean(sums, count, numel, mean, as_flag: tl.constexpr, halvings: tl.constexpr, size: tl.constexpr):  # type: ignore[no-untyped-def]
    places = tl.arange(0, size)
    total = tree_sum(tl.load(sums + places, mask=places < count, other=0.0), halvings)
    found = (total / numel.to(tl.float64)).to(tl.float32)
    if as_flag:
        found = tl.where(found < float("inf"), 1.0, float("nan"))
    tl.store(mean, found)


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _largest(bits, numel, largest, copied, copies: tl.constexpr, size: tl.constexpr):  # type: ignore[no-untyped-def]
    by_blocks(_largest_of_block, numel, size, (bits, largest, copied, copies, size))


@triton.jit  # type: ignore[untyped-decorator]
def _largest_of_block(bits, largest, copied, copies: tl.constexpr, size: tl.constexpr, start, numel):  # type: ignore[no-untyped-def]
    places = tl.arange(0, size)
    part = tl.load(bits + start + places, mask=places < numel, other=0)
    # As integers magnitudes keep their order, and NaN ranks above infinity.
    tl.atomic_max(largest, tl.max(part & 0x7FFFFFFF, axis=0), sem="relaxed")
    if copies:
        tl.store(copied + start + places, part, mask=places < numel)


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _all_finite(  # type: ignore[no-untyped-def]
    bits, numel, flag, infinity: tl.constexpr, largest: tl.constexpr, alone: tl.constexpr, size: tl.constexpr
):
    by_blocks(_all_finite_in_block, numel, size, (bits, flag, infinity, largest, alone, size))


@triton.jit  # type: ignore[untyped-decorator]
def _all_finite_in_block(  # type: ignore[no-untyped-def]
    bits, flag, infinity: tl.constexpr, largest: tl.constexpr, alone: tl.constexpr, size: tl.constexpr, start, numel
):
    places = tl.arange(0, size)
    magnitude = tl.load(bits + start + places, mask=places < numel, other=0) & largest
    finite = tl.max(magnitude, axis=0) < infinity
    if alone:
        tl.store(flag, finite)
    elif not finite:
        # Who writes at all writes the same.
        tl.store(flag, finite)
