"""GPU kernels that find the exact k largest magnitudes of a vector; the host never waits for a result.

Read as int32, the magnitudes of float32 values keep their order, and NaN and infinity are the largest. A radix search
finds the four digits of the k-th largest magnitude, the highest digit first, with one pass over the vector per digit.
A pass counts how often each value of the next digit occurs among the magnitudes that begin with the digits found so
far.

Two more passes copy the entries, block by block. The first counts, per block, the magnitudes above the k-th largest and
those equal to it. The second copies each block's entries behind those of all earlier blocks, so that the entries keep
their order.

Digits have at most eight bits, because Triton 3.6 counts in time proportional to the number of bins.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.kernels.triton.blocks import by_blocks, launch

# The lowest bit of each digit, and the lowest bit of the digit above it.
_DIGITS = ((23, 31), (15, 23), (7, 15), (0, 7))
_BINS = 256
# Blocks are long because each histogram ends in barriers; programs are few because each adds its counts to the total.
_COUNTED_BLOCK = 8192
_COUNTING_PROGRAMS = 1024
_TAKEN_BLOCK = 1024


def take_largest(vector: Tensor, entries: Tensor, residual: Tensor | None) -> Tensor:
    """Copy the k entries of largest magnitude from a vector.

    If several entries tie for the last places, the first ones in the vector are taken.

    Args:
        vector: The vector, float32 of shape ``[numel]``.
        entries: Receives the k entries, float32 of shape [k], in the order of their positions.
        residual: Unless it is None, receives the vector with zeros in place of these entries. It may be ``vector``.

    Returns:
        The positions of the k entries, ascending, int64 of shape [k].
    """
    bits, num_kept = vector.view(torch.int32), entries.numel()
    threshold, num_ties = _threshold(bits, num_kept)
    num_above = torch.empty(triton.cdiv(bits.numel(), _TAKEN_BLOCK), dtype=torch.int32, device=bits.device)
    num_equal = torch.empty_like(num_above)
    launch(_count_chosen, _TAKEN_BLOCK, bits, threshold, num_above, num_equal)
    positions = torch.empty(num_kept, dtype=torch.int64, device=bits.device)
    target = bits if residual is None else residual.view(torch.int32)
    launch(
        _take,
        _TAKEN_BLOCK,
        bits,
        threshold,
        num_ties,
        num_above.cumsum(0),
        num_equal.cumsum(0),
        positions,
        entries.view(torch.int32),
        target,
        has_residual=residual is not None,
        in_place=target.data_ptr() == bits.data_ptr(),
    )
    return positions


def _threshold(bits: Tensor, num_kept: int) -> tuple[Tensor, Tensor]:
    """Return the ``num_kept``-th largest magnitude in a vector, and the number of entries of this magnitude to keep.

    ``bits`` is the float32 vector, viewed as int32. The magnitude is int32: the bits of an entry without the sign bit.
    The number is int64. Both have the shape [1].
    """
    counts = torch.zeros(len(_DIGITS), _BINS, dtype=torch.int64, device=bits.device)
    found = torch.zeros(1, dtype=torch.int32, device=bits.device)
    rank = torch.full((1,), num_kept, dtype=torch.int64, device=bits.device)
    programs = min(_COUNTING_PROGRAMS, triton.cdiv(bits.numel(), _COUNTED_BLOCK))
    for digit_counts, (low, high) in zip(counts, _DIGITS, strict=True):
        _count_digits[(programs,)](
            bits,
            bits.numel(),
            found,
            digit_counts,
            low=low,
            high=high,
            bins=_BINS,
            block_size=_COUNTED_BLOCK,
            num_warps=8,
            enable_fp_fusion=False,
        )
        _choose_digit[(1,)](digit_counts, found, rank, width=high - low, bins=_BINS, enable_fp_fusion=False)
    return found, rank


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _count_digits(  # type: ignore[no-untyped-def]
    bits, numel, found, counts, low: tl.constexpr, high: tl.constexpr, bins: tl.constexpr, block_size: tl.constexpr
):
    """Add to ``counts[d]`` the number of magnitudes that begin with ``found`` and have d as their next digit.

    ``found`` holds the digits found so far. The next digit is bits ``low`` to ``high`` − 1 of a magnitude.
    """
    prefix = tl.load(found)
    local = tl.zeros([bins], tl.int32)
    index, first = tl.arange(0, block_size), tl.program_id(0).to(tl.int64) * block_size
    for start in range(first, numel, tl.num_programs(0) * block_size):
        length = tl.minimum(numel - start, block_size).to(tl.int32)
        # A mask over whole blocks would split loads of four values into single loads.
        if length == block_size:
            value = tl.load(bits + start + index)
        else:
            value = tl.load(bits + start + index, mask=index < length, other=0)
        magnitude = value & 0x7FFFFFFF
        # Shifted in two steps, because the first digit has no bits above it.
        follows = (index < length) & ((magnitude >> (high - 1)) >> 1 == prefix)
        local += tl.histogram((magnitude >> low) & ((1 << (high - low)) - 1), bins, mask=follows)
    tl.atomic_add(counts + tl.arange(0, bins), local.to(tl.int64), mask=local > 0, sem="relaxed")


@triton.jit  # type: ignore[untyped-decorator]
def _choose_digit(counts, found, rank, width: tl.constexpr, bins: tl.constexpr):  # type: ignore[no-untyped-def]
    """Find the next digit of the k-th largest magnitude, and update ``found`` and ``rank`` in place.

    Args:
        counts: Element d is the number of magnitudes that begin with ``found`` and have d as the next digit.
        found: One integer: the first digits of the k-th largest magnitude. The next digit is appended.
        rank: The rank, from 1, of the k-th largest magnitude among the magnitudes that begin with ``found``. The new
            rank refers to the new ``found``.
        width: The number of bits of the next digit.
        bins: The number of elements of ``counts``.
    """
    digits = tl.arange(0, bins)
    count = tl.load(counts + digits)
    wanted = tl.load(rank)
    reached = tl.cumsum(count, reverse=True) >= wanted
    digit = tl.sum(reached.to(tl.int32)) - 1
    tl.store(found, (tl.load(found) << width) | digit)
    tl.store(rank, wanted - tl.sum(tl.where(digits > digit, count, 0)))


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _count_chosen(bits, numel, threshold, num_above, num_equal, block_size: tl.constexpr):  # type: ignore[no-untyped-def]
    by_blocks(_count_chosen_in_block, numel, block_size, (bits, threshold, num_above, num_equal, block_size))


@triton.jit  # type: ignore[untyped-decorator]
def _count_chosen_in_block(  # type: ignore[no-untyped-def]
    bits, threshold, num_above, num_equal, block_size: tl.constexpr, start, length
):
    """Count the magnitudes in this program's block that are above ``threshold``, and those equal to ``threshold``.

    Write the two counts of block b to ``num_above[b]`` and ``num_equal[b]``. ``bits`` holds float32 numbers as int32. A
    magnitude is a number without its sign bit.
    """
    index, block = tl.arange(0, block_size), tl.program_id(0)
    magnitude = tl.load(bits + start + index, mask=index < length, other=0) & 0x7FFFFFFF
    smallest = tl.load(threshold)
    tl.store(num_above + block, tl.sum((magnitude > smallest).to(tl.int32)))
    tl.store(num_equal + block, tl.sum(((magnitude == smallest) & (index < length)).to(tl.int32)))


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _take(  # type: ignore[no-untyped-def]
    bits,
    numel,
    threshold,
    num_ties,
    above_up_to,
    equal_up_to,
    positions,
    entries,
    residual,
    has_residual: tl.constexpr,
    in_place: tl.constexpr,
    block_size: tl.constexpr,
):
    """Write the largest entries to ``entries``, and their positions to ``positions``.

    The largest entries are those with a magnitude above ``threshold``, and the first ``num_ties`` entries with exactly
    this magnitude. Blocks 0 to b contain ``above_up_to[b]`` magnitudes above ``threshold``, and ``equal_up_to[b]``
    equal to ``threshold``. If ``has_residual``, ``residual`` receives the vector with zeros in place of the largest
    entries. If ``in_place``, ``residual`` is the vector itself, so only the zeros are written.
    """
    by_blocks(
        _take_from_block,
        numel,
        block_size,
        (
            bits,
            threshold,
            num_ties,
            above_up_to,
            equal_up_to,
            positions,
            entries,
            residual,
            has_residual,
            in_place,
            block_size,
        ),
    )


@triton.jit  # type: ignore[untyped-decorator]
def _take_from_block(  # type: ignore[no-untyped-def]
    bits,
    threshold,
    num_ties,
    above_up_to,
    equal_up_to,
    positions,
    entries,
    residual,
    has_residual: tl.constexpr,
    in_place: tl.constexpr,
    block_size: tl.constexpr,
    start,
    length,
):
    index, block = tl.arange(0, block_size), tl.program_id(0)
    value = tl.load(bits + start + index, mask=index < length, other=0)
    magnitude = value & 0x7FFFFFFF
    smallest, most_ties = tl.load(threshold), tl.load(num_ties)
    above_before = tl.load(above_up_to + block - 1, mask=block > 0, other=0)
    equal_before = tl.load(equal_up_to + block - 1, mask=block > 0, other=0)
    taken_before = above_before + tl.minimum(equal_before, most_ties)
    tie = ((magnitude == smallest) & (index < length)).to(tl.int32)
    early = (tie == 1) & (tl.cumsum(tie) <= tl.minimum(most_ties - equal_before, block_size))
    chosen = (magnitude > smallest) | early
    number = tl.cumsum(chosen.to(tl.int32)) - 1
    tl.store(positions + taken_before + number, start + index, mask=chosen)
    tl.store(entries + taken_before + number, value, mask=chosen)
    if has_residual:
        if in_place:
            tl.store(residual + start + index, 0, mask=chosen)
        else:
            tl.store(residual + start + index, tl.where(chosen, 0, value), mask=index < length)
