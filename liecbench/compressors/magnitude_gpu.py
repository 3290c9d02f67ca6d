"""GPU kernels that look at a vector's magnitudes before it is compressed; what they find stays there."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.magnitude_cpu import CHUNK
from liecbench.compressors.sums_gpu import tree_sum

_HALVINGS = CHUNK.bit_length() - 1
_BLOCK = 8192


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
        chunk=CHUNK,
        halvings=_HALVINGS,
        enable_fp_fusion=False,
    )


def largest_magnitude(vector: Tensor, largest: Tensor) -> None:
    """max|v|, not finite where any value is, into ``largest``: float32 of shape [1]."""
    bits = largest.view(torch.int32).zero_()
    grid = (triton.cdiv(vector.numel(), _BLOCK),)
    _largest[grid](vector.view(torch.int32), vector.numel(), bits, block=_BLOCK, num_warps=8, enable_fp_fusion=False)


def _chunk_sums(terms: Tensor) -> Tensor:
    sums = torch.empty(triton.cdiv(terms.numel(), CHUNK), dtype=torch.float64, device=terms.device)
    _sum_chunks[(sums.numel(),)](terms, terms.numel(), sums, chunk=CHUNK, halvings=_HALVINGS, enable_fp_fusion=False)
    return sums


# Where a block is whole there is no mask: with one, four values would not be one load unless the length were known.
@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _sum_chunks(terms, numel, sums, chunk: tl.constexpr, halvings: tl.constexpr):  # type: ignore[no-untyped-def]
    number = tl.program_id(0)
    start = number.to(tl.int64) * chunk
    places = tl.arange(0, chunk)
    if start + chunk <= numel:
        part = tl.load(terms + start + places)
    else:
        part = tl.load(terms + start + places, mask=places < numel - start, other=0.0)
    tl.store(sums + number, tree_sum(tl.abs(part), halvings).to(tl.float64))


@triton.jit(do_not_specialize=["count", "numel"])  # type: ignore[untyped-decorator]
def _mean(sums, count, numel, mean, as_flag: tl.constexpr, chunk: tl.constexpr, halvings: tl.constexpr):  # type: ignore[no-untyped-def]
    places = tl.arange(0, chunk)
    total = tree_sum(tl.load(sums + places, mask=places < count, other=0.0), halvings)
    found = (total / numel.to(tl.float64)).to(tl.float32)
    if as_flag:
        found = tl.where(found < float("inf"), 1.0, float("nan"))
    tl.store(mean, found)


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _largest(bits, numel, largest, block: tl.constexpr):  # type: ignore[no-untyped-def]
    start = tl.program_id(0).to(tl.int64) * block
    places = tl.arange(0, block)
    if start + block <= numel:
        part = tl.load(bits + start + places)
    else:
        part = tl.load(bits + start + places, mask=places < numel - start, other=0)
    # As integers magnitudes keep their order, and NaN ranks above infinity.
    tl.atomic_max(largest, tl.max(part & 0x7FFFFFFF, axis=0))
