"""GPU kernels of signs packed five a byte, in the columns of ``trits_cpu``; a program has one group."""

from collections.abc import Sequence

import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.kernels.cpu.ternary import GROUP
from liecbench.compressors.kernels.triton import blocks as blocks_gpu
from liecbench.compressors.kernels.triton.blocks import by_blocks
from liecbench.compressors.kernels.triton.summation import weighted_scale

# A column of 256 is 2 warps of 4 values a thread.
NUM_WARPS = 2
COLUMNS = tl.constexpr(5)
WIDTH = tl.constexpr(GROUP // 5)
_SCALE_BYTES = tl.constexpr(4)


def pack_majority(vector: Tensor, payload: Tensor, tie: float) -> None:
    """Signs of what is beyond ±``tie``, 0 within, into ``payload`` behind its scale."""
    blocks_gpu.launch(_pack_majority, GROUP, vector, payload, tie=tie, num_warps=NUM_WARPS)


def sum_messages(payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
    """Σ scale · ``weight`` · sign in the order of ``payloads``, written to ``out`` or added to it."""
    blocks_gpu.sum_messages(_sum_messages, GROUP, payloads, out, accumulate, weight, num_warps=NUM_WARPS)


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _pack_majority(vector, numel, payload, tie: tl.constexpr, size: tl.constexpr):  # type: ignore[no-untyped-def]
    by_blocks(_pack_majority_group, numel, size, (vector, payload, tie))


@triton.jit  # type: ignore[untyped-decorator]
def _pack_majority_group(vector, payload, tie: tl.constexpr, start, numel):  # type: ignore[no-untyped-def]
    byte = tl.zeros([WIDTH], tl.int32)
    columns = load_columns(vector + start, numel)
    for column in tl.static_range(COLUMNS):
        value = columns[column]
        byte += 3**column * (1 + (value > tie).to(tl.int32) - (value < -tie).to(tl.int32))
    store_bytes(payload, numel, byte)


@triton.jit
def bytes_of(numel):  # type: ignore[no-untyped-def]
    """Bytes of a group, which are the length of its columns; for kernels to call."""
    return (numel + (COLUMNS - 1)) // COLUMNS


@triton.jit
def store_bytes(payload, numel, byte):  # type: ignore[no-untyped-def]
    """The bytes of this program's group to their places; for kernels to call."""
    row = tl.arange(0, WIDTH)
    tl.store(_group_of(payload) + row, byte.to(tl.uint8), mask=row < bytes_of(numel))


@triton.jit
def _group_of(payload):  # type: ignore[no-untyped-def]
    return payload + _SCALE_BYTES + tl.program_id(0).to(tl.int64) * WIDTH


@triton.jit
def load_columns(values, numel):  # type: ignore[no-untyped-def]
    """The columns of a group, 0 where it has ended; for kernels to call, before they write: so the loads overlap."""
    columns = ()
    row, width = tl.arange(0, WIDTH), bytes_of(numel)
    for column in tl.static_range(COLUMNS):
        places = column * width + row
        columns += (tl.load(values + places, mask=(row < width) & (places < numel), other=0.0),)  # type: ignore[assignment]
    return columns


@triton.jit
def store_columns(values, numel, columns):  # type: ignore[no-untyped-def]
    """The other way; for kernels to call."""
    row, width = tl.arange(0, WIDTH), bytes_of(numel)
    for column in tl.static_range(COLUMNS):
        places = column * width + row
        tl.store(values + places, columns[column], mask=(row < width) & (places < numel))


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _sum_messages(  # type: ignore[no-untyped-def]
    out, numel, payloads, weight: tl.float64, count: tl.constexpr, accumulate: tl.constexpr, size: tl.constexpr
):
    by_blocks(_sum_group, numel, size, (out, payloads, weight, count, accumulate))


@triton.jit  # type: ignore[untyped-decorator]
def _sum_group(out, payloads, weight, count: tl.constexpr, accumulate: tl.constexpr, start, numel):  # type: ignore[no-untyped-def]
    row = tl.arange(0, WIDTH)
    if accumulate:
        totals = load_columns(out + start, numel)
    for number in tl.static_range(count):
        byte = tl.load(_group_of(payloads[number]) + row, mask=row < bytes_of(numel), other=0).to(tl.uint32)
        scale = weighted_scale(payloads[number], weight)
        sums = ()
        for column in tl.static_range(COLUMNS):
            sign = (byte // 3**column % 3).to(tl.int32) - 1
            if accumulate or number > 0:
                sums += (totals[column] + sign.to(tl.float32) * scale,)  # type: ignore[assignment]
            else:
                sums += (sign.to(tl.float32) * scale,)  # type: ignore[assignment]
        totals = sums
    store_columns(out + start, numel, totals)
