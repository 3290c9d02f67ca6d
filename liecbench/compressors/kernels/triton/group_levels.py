"""Parts of the GPU kernels that quantize groups of adjacent values to integer levels, with a scale per group.

A program handles several groups, one per row of a tile.
"""

import triton
import triton.language as tl

from liecbench.compressors.kernels.cpu.int8 import ROUNDER
from liecbench.compressors.kernels.layout import SMALLEST_SCALE

_SMALLEST_BLOCK = 2048
_SMALLEST_SCALE = tl.constexpr(SMALLEST_SCALE)
_ROUNDER = tl.constexpr(float(ROUNDER))


def block_size_for(group: int) -> int:
    """Return the number of elements that a program handles, a multiple of the group size ``group`` (a power of two)."""
    return max(group, _SMALLEST_BLOCK)


@triton.jit  # type: ignore[untyped-decorator]
def by_groups(body: tl.constexpr, numel, block_size: tl.constexpr, group: tl.constexpr, arguments):  # type: ignore[no-untyped-def]
    """Call ``body(*arguments, block_size, group, offset, start, length, whole)`` for this program's block of elements.

    - ``offset``: where the levels begin in the payload, in bytes; the scales of all groups come before them
    - ``start``: the index of the block's first element
    - ``length``: the number of elements of the block
    - ``whole``: a constant, True if ``length`` is ``block_size``. A whole block needs no mask. Only the last block may
      be smaller.

    Args:
        body: The function to call.
        numel: The number of elements of the vector, over all programs.
        block_size: The number of elements of a whole block.
        group: The number of elements that share a scale.
        arguments: The first arguments of ``body``, a tuple.
    """
    start, offset = tl.program_id(0).to(tl.int64) * block_size, 4 * _num_groups(numel, group)
    if start + block_size <= numel:
        body(*arguments, block_size, group, offset, start, block_size, True)
    else:
        body(*arguments, block_size, group, offset, start, (numel - start).to(tl.int32), False)


@triton.jit  # type: ignore[untyped-decorator]
def _num_groups(numel, group: tl.constexpr):  # type: ignore[no-untyped-def]
    return (numel.to(tl.int64) + (group - 1)) // group


@triton.jit  # type: ignore[untyped-decorator]
def is_inside(index, length, whole: tl.constexpr):  # type: ignore[no-untyped-def]
    """Return the mask ``index < length``, or the constant True if ``whole``.

    ``length`` is the number of elements in this program's block. ``whole`` is True if the block is full, and so needs
    no mask.
    """
    inside = True
    if not whole:
        inside = index < length
    return inside


@triton.jit
def largest_bits(values):  # type: ignore[no-untyped-def]
    """Return the bits of the largest magnitude of each row as int32. NaN counts as larger than infinity."""
    return tl.max(values.to(tl.int32, bitcast=True) & 0x7FFFFFFF, axis=1)


@triton.jit  # type: ignore[untyped-decorator]
def scale_for(largest, largest_level: tl.constexpr):  # type: ignore[no-untyped-def]
    """Return the float32 scale of each row: the row's largest magnitude ÷ ``largest_level``.

    A scale between 0 and ``SMALLEST_SCALE`` is raised to ``SMALLEST_SCALE``.

    Args:
        largest: The largest magnitude of each row, as the int32 bits that ``largest_bits`` returns.
        largest_level: The largest integer level, such as 127.
    """
    exact = largest.to(tl.float32, bitcast=True).to(tl.float64) / largest_level
    return tl.where((exact > 0) & (exact < _SMALLEST_SCALE), _SMALLEST_SCALE, exact).to(tl.float32)


@triton.jit  # type: ignore[untyped-decorator]
def nearest_level(value, scale, largest_level: tl.constexpr):  # type: ignore[no-untyped-def]
    """Return ``value`` / ``scale``, rounded to integers and clipped to ±``largest_level``, as float32.

    ``value`` is a tile, and ``scale`` has one number per row of the tile.
    """
    divisor = tl.where(scale > 0, scale, 1.0)[:, None]
    level = tl.div_rn(value, tl.broadcast_to(divisor, value.shape))
    level = tl.where(level < largest_level, level, largest_level * 1.0)
    level = tl.where(level > -largest_level, level, -largest_level * 1.0)
    return (level + _ROUNDER) - _ROUNDER


@triton.jit
def weighted_scales(scales, inside, weight):  # type: ignore[no-untyped-def]
    """Return ``weight`` times each scale at the addresses ``scales``, in float32; 0 where ``inside`` is false."""
    scale = tl.load(scales, mask=inside, other=0.0)
    return (scale.to(tl.float64) * weight).to(tl.float32)[:, None]
