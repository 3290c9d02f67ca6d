"""GPU kernels for signs −1, 0 and 1 packed five per byte. Every program handles one group of 1280 signs.

``codecs/ternary.py`` describes the layout.
"""

from collections.abc import Sequence

import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.codecs.scale import SCALE_BYTES
from liecbench.compressors.kernels.layout import GROUP
from liecbench.compressors.kernels.triton.blocks import by_blocks, launch_sum
from liecbench.compressors.kernels.triton.summation import weighted_scale

# A column of 256 is 2 warps of 4 values per thread.
NUM_WARPS = 2
COLUMNS = tl.constexpr(5)
WIDTH = tl.constexpr(GROUP // 5)
_SCALE_BYTES = tl.constexpr(SCALE_BYTES)


def sum_ternary(payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
    """Set ``out`` to ``weight`` times the sum of the vectors in ``payloads``; if ``accumulate``, add to ``out``.

    Each payload holds one float32 scale, and a sign −1, 0 or 1 per element. An element's value is scale · sign.
    """
    launch_sum(_sum, GROUP, payloads, out, accumulate, weight, num_warps=NUM_WARPS)


@triton.jit
def column_length(length):  # type: ignore[no-untyped-def]
    """Return ⌈``length``/5⌉, the number of rows that ``length`` signs form in 5 columns. A byte holds one row."""
    return (length + (COLUMNS - 1)) // COLUMNS


@triton.jit
def store_bytes(payload, length, byte):  # type: ignore[no-untyped-def]
    """Write the packed signs of this program's group to ``payload``. Kernels call this function.

    Args:
        payload: The bytes of the whole message.
        length: The number of signs in the group.
        byte: A vector of 256 packed bytes. The first ⌈``length``/5⌉ of them are written.
    """
    row = tl.arange(0, WIDTH)
    tl.store(_group_of(payload) + row, byte.to(tl.uint8), mask=row < column_length(length))


@triton.jit
def _group_of(payload):  # type: ignore[no-untyped-def]
    return payload + _SCALE_BYTES + tl.program_id(0).to(tl.int64) * WIDTH


@triton.jit
def load_columns(values, length):  # type: ignore[no-untyped-def]
    """Load ``length`` values, at most 1280, from the pointer ``values``. Return them as a tuple of 5 columns.

    The first ⌈``length``/5⌉ values are in the first column, the next in the second column, and so on. Every column is
    padded with zeros to 256 values.
    """
    # Kernels call this function before they write anything, so that the loads need not wait for a write.
    columns = ()
    row, width = tl.arange(0, WIDTH), column_length(length)
    for column in tl.static_range(COLUMNS):
        index = column * width + row
        columns += (tl.load(values + index, mask=(row < width) & (index < length), other=0.0),)  # type: ignore[assignment]
    return columns


@triton.jit
def store_columns(values, length, columns):  # type: ignore[no-untyped-def]
    """Write ``length`` values to the memory at ``values``. Kernels call this function.

    Args:
        values: The address to write to.
        length: The number of values.
        columns: The values, as a tuple of 5 columns that is laid out as ``load_columns`` returns it.
    """
    row, width = tl.arange(0, WIDTH), column_length(length)
    for column in tl.static_range(COLUMNS):
        index = column * width + row
        tl.store(values + index, columns[column], mask=(row < width) & (index < length))


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _sum(  # type: ignore[no-untyped-def]
    out, numel, payloads, weight: tl.float64, count: tl.constexpr, accumulate: tl.constexpr, block_size: tl.constexpr
):
    by_blocks(_sum_group, numel, block_size, (out, payloads, weight, count, accumulate))


@triton.jit  # type: ignore[untyped-decorator]
def _sum_group(out, payloads, weight, count: tl.constexpr, accumulate: tl.constexpr, start, length):  # type: ignore[no-untyped-def]
    row = tl.arange(0, WIDTH)
    if accumulate:
        totals = load_columns(out + start, length)
    for number in tl.static_range(count):
        mask = row < column_length(length)
        byte = tl.load(_group_of(payloads[number]) + row, mask=mask, other=0).to(tl.uint32)
        scale = weighted_scale(payloads[number], weight)
        sums = ()
        for column in tl.static_range(COLUMNS):
            sign = (byte // 3**column % 3).to(tl.int32) - 1
            if accumulate or number > 0:
                sums += (totals[column] + sign.to(tl.float32) * scale,)  # type: ignore[assignment]
            else:
                sums += (sign.to(tl.float32) * scale,)  # type: ignore[assignment]
        totals = sums
    store_columns(out + start, length, totals)
