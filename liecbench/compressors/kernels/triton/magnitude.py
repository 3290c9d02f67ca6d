"""GPU kernels for the mean magnitude, root mean square and largest magnitude, and a check for non-finite values.

The results stay on the GPU, so that the host does not wait.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.kernels.cpu.magnitude import CHUNK, SMALLEST_SQUARES
from liecbench.compressors.kernels.triton.blocks import by_blocks, launch
from liecbench.compressors.kernels.triton.summation import tree_sum

_HALVINGS = CHUNK.bit_length() - 1
_LARGEST_BLOCK = 8192
_FINITE_BLOCK = 2048
_FLOAT32_INFINITY = 0x7F800000
_SMALLEST_SQUARES = tl.constexpr(SMALLEST_SQUARES)


def mean_magnitude(vector: Tensor, mean: Tensor, *, as_flag: bool = False) -> None:
    """Compute the mean of |v|. The result has the same bits as on the CPU.

    Args:
        vector: The vector v, float32 of shape ``[numel]``.
        mean: Receives the mean, float32 of shape [1].
        as_flag: If true, ``mean`` receives a flag instead: 1 if the mean is finite, else NaN.
    """
    _mean_of_sums(_chunk_sums(vector), vector.numel(), mean, as_flag=as_flag)


def root_mean_square(vector: Tensor, root: Tensor) -> None:
    """Compute √(mean v²). The result has the same bits as on the CPU.

    Args:
        vector: The vector v, float32 of shape ``[numel]``.
        root: Receives the root mean square, float32 of shape [1].
    """
    _mean_of_sums(_chunk_sums(vector, squares=True), vector.numel(), root, as_root=True)


def largest_magnitude(vector: Tensor, largest: Tensor, copy: Tensor | None = None) -> None:
    """Compute the largest magnitude max|v| of a vector v. Unless ``copy`` is None, copy v in the same pass.

    Args:
        vector: The vector v, float32 of shape ``[numel]``.
        largest: Receives max|v|, float32 of shape [1]. It is not finite if any value is not finite.
        copy: Unless it is None, receives v.
    """
    found, target = largest.view(torch.int32).zero_(), vector if copy is None else copy
    bits, copied = vector.view(torch.int32), target.view(torch.int32)
    launch(_largest, _LARGEST_BLOCK, bits, found, copied, copies=copy is not None, num_warps=8)


def all_values_finite(values: Tensor, infinity: int = _FLOAT32_INFINITY) -> Tensor:
    """Return whether every value is finite, as a boolean tensor of shape [].

    Args:
        values: float32 values, or the bits of 16-bit floats in any type of 2 bytes.
        infinity: The bits of infinity in the format of ``values``.
    """
    bits = values.view(torch.int16 if values.element_size() == 2 else torch.int32)
    single_block = bits.numel() <= _FINITE_BLOCK
    flag = (torch.empty if single_block else torch.ones)((), dtype=torch.bool, device=bits.device)
    options = {"infinity": infinity, "magnitude_mask": torch.iinfo(bits.dtype).max, "single_block": single_block}
    launch(_all_finite, _FINITE_BLOCK, bits, flag, **options)
    return flag


def _chunk_sums(terms: Tensor, *, squares: bool = False) -> Tensor:
    sums = torch.empty(triton.cdiv(terms.numel(), CHUNK), dtype=torch.float64, device=terms.device)
    launch(_sum_chunks, CHUNK, terms, sums, squares=squares, halvings=_HALVINGS)
    return sums


def _mean_of_sums(sums: Tensor, numel: int, mean: Tensor, *, as_flag: bool = False, as_root: bool = False) -> None:
    while sums.numel() > CHUNK:
        sums = _chunk_sums(sums)
    _mean[(1,)](
        sums,
        sums.numel(),
        numel,
        mean,
        as_flag=as_flag,
        as_root=as_root,
        halvings=_HALVINGS,
        block_size=CHUNK,
        enable_fp_fusion=False,
    )


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _sum_chunks(terms, numel, sums, squares: tl.constexpr, halvings: tl.constexpr, block_size: tl.constexpr):  # type: ignore[no-untyped-def]
    by_blocks(_sum_chunk, numel, block_size, (terms, sums, squares, halvings, block_size))


@triton.jit  # type: ignore[untyped-decorator]
def _sum_chunk(  # type: ignore[no-untyped-def]
    terms, sums, squares: tl.constexpr, halvings: tl.constexpr, block_size: tl.constexpr, start, length
):
    index = tl.arange(0, block_size)
    part = tl.load(terms + start + index, mask=index < length, other=0.0)
    if squares:
        total = tree_sum(part * part, halvings).to(tl.float64)
        inside = (total > _SMALLEST_SQUARES) & (total < float("inf"))
        if not inside:
            # Float32 squares may overflow or underflow, float64 squares do not.
            wide = part.to(tl.float64)
            total = tree_sum(wide * wide, halvings)
    else:
        total = tree_sum(tl.abs(part), halvings).to(tl.float64)
        if not total < float("inf"):
            # A float32 sum of finite values may overflow, a float64 sum does not.
            total = tree_sum(tl.abs(part).to(tl.float64), halvings)
    tl.store(sums + tl.program_id(0), total)


@triton.jit(do_not_specialize=["count", "numel"])  # type: ignore[untyped-decorator]
def _mean(  # type: ignore[no-untyped-def]
    sums,
    count,
    numel,
    mean,
    as_flag: tl.constexpr,
    as_root: tl.constexpr,
    halvings: tl.constexpr,
    block_size: tl.constexpr,
):
    index = tl.arange(0, block_size)
    total = tree_sum(tl.load(sums + index, mask=index < count, other=0.0), halvings)
    found = total / numel.to(tl.float64)
    if as_root:
        found = tl.sqrt(found)
    found = found.to(tl.float32)
    if as_flag:
        found = tl.where(found < float("inf"), 1.0, float("nan"))
    tl.store(mean, found)


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _largest(bits, numel, largest, copied, copies: tl.constexpr, block_size: tl.constexpr):  # type: ignore[no-untyped-def]
    by_blocks(_largest_of_block, numel, block_size, (bits, largest, copied, copies, block_size))


@triton.jit  # type: ignore[untyped-decorator]
def _largest_of_block(bits, largest, copied, copies: tl.constexpr, block_size: tl.constexpr, start, length):  # type: ignore[no-untyped-def]
    index = tl.arange(0, block_size)
    part = tl.load(bits + start + index, mask=index < length, other=0)
    # Magnitudes are in the same order when their bits are read as integers, and NaN is then larger than infinity.
    tl.atomic_max(largest, tl.max(part & 0x7FFFFFFF, axis=0), sem="relaxed")
    if copies:
        tl.store(copied + start + index, part, mask=index < length)


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _all_finite(  # type: ignore[no-untyped-def]
    bits,
    numel,
    flag,
    infinity: tl.constexpr,
    magnitude_mask: tl.constexpr,
    single_block: tl.constexpr,
    block_size: tl.constexpr,
):
    by_blocks(_all_finite_in_block, numel, block_size, (bits, flag, infinity, magnitude_mask, single_block, block_size))


@triton.jit  # type: ignore[untyped-decorator]
def _all_finite_in_block(  # type: ignore[no-untyped-def]
    bits,
    flag,
    infinity: tl.constexpr,
    magnitude_mask: tl.constexpr,
    single_block: tl.constexpr,
    block_size: tl.constexpr,
    start,
    length,
):
    index = tl.arange(0, block_size)
    magnitude = tl.load(bits + start + index, mask=index < length, other=0) & magnitude_mask
    finite = tl.max(magnitude, axis=0) < infinity
    if single_block:
        tl.store(flag, finite)
    elif not finite:
        # Several programs may write the flag, but all of them write False.
        tl.store(flag, finite)
