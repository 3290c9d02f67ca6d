"""GPU kernels that find a vector's largest magnitudes, exactly, and the host never waits to learn what they are.

As int32 the magnitudes of float32 have the same order, and what is not finite ranks above all else. A radix search
finds the one of rank ``kept``: a pass for each of four digits, from the highest, counts which digits follow those
found so far. Eight bits a digit: Triton 3.6 counts in registers, which takes time in proportion to the bins, and 3.9 in
shared memory. Then one pass counts, and one takes the entries in the order of their positions.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.kernels.triton import blocks as blocks_gpu
from liecbench.compressors.kernels.triton.blocks import by_blocks

# From the lowest bit of each digit up to that of the digit before it.
_DIGITS = ((23, 31), (15, 23), (7, 15), (0, 7))
_BINS = 256
# Long, because a histogram ends in barriers; and few programs, because each adds its counts to those of all.
_COUNTED = 8192
_PROGRAMS = 1024
_TAKEN = 1024


def take(vector: Tensor, kept: int, entries: Tensor, residual: Tensor | None) -> Tensor:
    """Positions, int64, rising, of the ``kept`` largest magnitudes; of those that tie at the end the first ones.

    Their values go to ``entries`` and the rest of the vector to ``residual``, which may be the vector. Reads 24 bytes
    an element and writes 12 for each kept, and 4 an element where the residual is apart.
    """
    bits = vector.view(torch.int32)
    threshold, ties = _threshold(bits, kept)
    above = torch.empty(triton.cdiv(bits.numel(), _TAKEN), dtype=torch.int32, device=bits.device)
    equal = torch.empty_like(above)
    blocks_gpu.launch(_count_chosen, _TAKEN, bits, threshold, above, equal)
    positions = torch.empty(kept, dtype=torch.int64, device=bits.device)
    left = bits if residual is None else residual.view(torch.int32)
    blocks_gpu.launch(
        _take,
        _TAKEN,
        bits,
        threshold,
        ties,
        above.cumsum(0),
        equal.cumsum(0),
        positions,
        entries.view(torch.int32),
        left,
        keep=residual is not None,
        in_place=left.data_ptr() == bits.data_ptr(),
    )
    return positions


def _threshold(bits: Tensor, kept: int) -> tuple[Tensor, Tensor]:
    """The magnitude of rank ``kept``, int32 of shape [1], and how many of its equals are among the ``kept``, int64."""
    counts = torch.zeros(len(_DIGITS), _BINS, dtype=torch.int64, device=bits.device)
    found = torch.zeros(1, dtype=torch.int32, device=bits.device)
    rank = torch.full((1,), kept, dtype=torch.int64, device=bits.device)
    programs = min(_PROGRAMS, triton.cdiv(bits.numel(), _COUNTED))
    for of_digit, (low, high) in zip(counts, _DIGITS, strict=True):
        _count_digits[(programs,)](
            bits,
            bits.numel(),
            found,
            of_digit,
            low=low,
            high=high,
            bins=_BINS,
            size=_COUNTED,
            num_warps=8,
            enable_fp_fusion=False,
        )
        _choose_digit[(1,)](of_digit, found, rank, width=high - low, bins=_BINS, enable_fp_fusion=False)
    return found, rank


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _count_digits(  # type: ignore[no-untyped-def]
    bits, numel, found, counts, low: tl.constexpr, high: tl.constexpr, bins: tl.constexpr, size: tl.constexpr
):
    """Add to ``counts`` how often each digit comes next in magnitudes that begin with those ``found``."""
    before = tl.load(found)
    local = tl.zeros([bins], tl.int32)
    places, first = tl.arange(0, size), tl.program_id(0).to(tl.int64) * size
    for start in range(first, numel, tl.num_programs(0) * size):
        left = tl.minimum(numel - start, size).to(tl.int32)
        # A mask over whole blocks would split loads of four values into single ones.
        if left == size:
            value = tl.load(bits + start + places)
        else:
            value = tl.load(bits + start + places, mask=places < left, other=0)
        magnitude = value & 0x7FFFFFFF
        # In two steps where a digit is the first: there are no bits above it.
        follows = (places < left) & ((magnitude >> (high - 1)) >> 1 == before)
        local += tl.histogram((magnitude >> low) & ((1 << (high - low)) - 1), bins, mask=follows)
    tl.atomic_add(counts + tl.arange(0, bins), local.to(tl.int64), mask=local > 0, sem="relaxed")


@triton.jit  # type: ignore[untyped-decorator]
def _choose_digit(counts, found, rank, width: tl.constexpr, bins: tl.constexpr):  # type: ignore[no-untyped-def]
    """Append to ``found`` the digit at that rank, which becomes its rank among those with that digit."""
    digits = tl.arange(0, bins)
    count = tl.load(counts + digits)
    wanted = tl.load(rank)
    reached = tl.cumsum(count, reverse=True) >= wanted
    digit = tl.sum(reached.to(tl.int32)) - 1
    tl.store(found, (tl.load(found) << width) | digit)
    tl.store(rank, wanted - tl.sum(tl.where(digits > digit, count, 0)))


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _count_chosen(bits, numel, threshold, above, equal, size: tl.constexpr):  # type: ignore[no-untyped-def]
    by_blocks(_count_chosen_of_block, numel, size, (bits, threshold, above, equal, size))


@triton.jit  # type: ignore[untyped-decorator]
def _count_chosen_of_block(bits, threshold, above, equal, size: tl.constexpr, start, numel):  # type: ignore[no-untyped-def]
    """How many magnitudes are above the threshold, and how many are equal to it."""
    places, block = tl.arange(0, size), tl.program_id(0)
    magnitude = tl.load(bits + start + places, mask=places < numel, other=0) & 0x7FFFFFFF
    least = tl.load(threshold)
    tl.store(above + block, tl.sum((magnitude > least).to(tl.int32)))
    tl.store(equal + block, tl.sum(((magnitude == least) & (places < numel)).to(tl.int32)))


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _take(  # type: ignore[no-untyped-def]
    bits,
    numel,
    threshold,
    ties,
    above,
    equal,
    positions,
    entries,
    left,
    keep: tl.constexpr,
    in_place: tl.constexpr,
    size: tl.constexpr,
):
    """All above the threshold and the first ``ties`` equal to it; ``above`` and ``equal`` count to each block's end."""
    by_blocks(
        _take_of_block,
        numel,
        size,
        (bits, threshold, ties, above, equal, positions, entries, left, keep, in_place, size),
    )


@triton.jit  # type: ignore[untyped-decorator]
def _take_of_block(  # type: ignore[no-untyped-def]
    bits,
    threshold,
    ties,
    above,
    equal,
    positions,
    entries,
    left,
    keep: tl.constexpr,
    in_place: tl.constexpr,
    size: tl.constexpr,
    start,
    numel,
):
    places, block = tl.arange(0, size), tl.program_id(0)
    value = tl.load(bits + start + places, mask=places < numel, other=0)
    magnitude = value & 0x7FFFFFFF
    least, most_ties = tl.load(threshold), tl.load(ties)
    above_before = tl.load(above + block - 1, mask=block > 0, other=0)
    equal_before = tl.load(equal + block - 1, mask=block > 0, other=0)
    before = above_before + tl.minimum(equal_before, most_ties)
    tie = ((magnitude == least) & (places < numel)).to(tl.int32)
    early = (tie == 1) & (tl.cumsum(tie) <= tl.minimum(most_ties - equal_before, size))
    chosen = (magnitude > least) | early
    number = tl.cumsum(chosen.to(tl.int32)) - 1
    tl.store(positions + before + number, start + places, mask=chosen)
    tl.store(entries + before + number, value, mask=chosen)
    if keep:
        if in_place:
            tl.store(left + start + places, 0, mask=chosen)
        else:
            tl.store(left + start + places, tl.where(chosen, 0, value), mask=places < numel)
