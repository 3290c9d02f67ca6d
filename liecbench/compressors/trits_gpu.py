"""GPU kernels of signs packed five a byte, in the columns of ``trits_cpu``; a program has one group."""

from collections.abc import Sequence

import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.sums_gpu import passes, weighted_scale
from liecbench.compressors.trits_cpu import GROUP

# A column of 256 is 2 warps of 4 values a thread.
NUM_WARPS = 2
COLUMNS = tl.constexpr(5)
WIDTH = tl.constexpr(GROUP // 5)
_GROUP = tl.constexpr(GROUP)
_SCALE_BYTES = tl.constexpr(4)


def groups(numel: int) -> tuple[int]:
    """The grid of kernels that have a program a group."""
    return (triton.cdiv(numel, GROUP),)


def pack_majority(vector: Tensor, payload: Tensor, tie: float) -> None:
    """Signs of what is beyond ±``tie``, 0 within, into ``payload`` behind its scale."""
    _pack_majority[groups(vector.numel())](
        vector, vector.numel(), payload, tie=tie, num_warps=NUM_WARPS, enable_fp_fusion=False
    )


def add_up(payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
    """Σ scale · ``weight`` · sign in the order of ``payloads``, written to ``out`` or added to it."""
    for part, add in passes(payloads, accumulate):
        _add_up[groups(out.numel())](
            part,
            weight,
            out,
            out.numel(),
            count=len(part),
            accumulate=add,
            num_warps=NUM_WARPS,
            enable_fp_fusion=False,
        )


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _pack_majority(vector, numel, payload, tie: tl.constexpr):  # type: ignore[no-untyped-def]
    start = tl.program_id(0).to(tl.int64) * _GROUP
    packed = group_of(payload)
    if start + _GROUP <= numel:
        _pack_majority_group(vector + start, _GROUP, WIDTH, packed, tie)
    else:
        left = (numel - start).to(tl.int32)
        _pack_majority_group(vector + start, left, tl.cdiv(left, COLUMNS), packed, tie)


@triton.jit  # type: ignore[untyped-decorator]
def _pack_majority_group(vector, numel, width, packed, tie: tl.constexpr):  # type: ignore[no-untyped-def]
    byte = tl.zeros([WIDTH], tl.int32)
    columns = load_columns(vector, numel, width)
    for column in tl.static_range(COLUMNS):
        value = columns[column]
        byte += 3**column * (1 + (value > tie).to(tl.int32) - (value < -tie).to(tl.int32))
    row = tl.arange(0, WIDTH)
    tl.store(packed + row, byte.to(tl.uint8), mask=row < width)


@triton.jit
def group_of(payload):  # type: ignore[no-untyped-def]
    """Where the bytes of this program's group begin; for kernels to call."""
    return payload + _SCALE_BYTES + tl.program_id(0).to(tl.int64) * WIDTH


@triton.jit
def load_columns(values, numel, width):  # type: ignore[no-untyped-def]
    """The columns of a group, 0 where it has ended; for kernels to call, before they write: so the loads overlap."""
    columns = ()
    row = tl.arange(0, WIDTH)
    for column in tl.static_range(COLUMNS):
        places = column * width + row
        columns += (tl.load(values + places, mask=(row < width) & (places < numel), other=0.0),)  # type: ignore[assignment]
    return columns


@triton.jit
def store_columns(values, numel, width, columns):  # type: ignore[no-untyped-def]
    """The other way; for kernels to call."""
    row = tl.arange(0, WIDTH)
    for column in tl.static_range(COLUMNS):
        places = column * width + row
        tl.store(values + places, columns[column], mask=(row < width) & (places < numel))


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _add_up(payloads, weight: tl.float64, out, numel, count: tl.constexpr, accumulate: tl.constexpr):  # type: ignore[no-untyped-def]
    start = tl.program_id(0).to(tl.int64) * _GROUP
    if start + _GROUP <= numel:
        _add_up_group(payloads, weight, out, start, _GROUP, WIDTH, count, accumulate)
    else:
        left = (numel - start).to(tl.int32)
        _add_up_group(payloads, weight, out, start, left, tl.cdiv(left, COLUMNS), count, accumulate)


@triton.jit  # type: ignore[untyped-decorator]
def _add_up_group(payloads, weight, out, start, numel, width, count: tl.constexpr, accumulate: tl.constexpr):  # type: ignore[no-untyped-def]
    row = tl.arange(0, WIDTH)
    if accumulate:
        totals = load_columns(out + start, numel, width)
    for number in tl.static_range(count):
        byte = tl.load(group_of(payloads[number]) + row, mask=row < width, other=0).to(tl.uint32)
        scale = weighted_scale(payloads[number], weight)
        sums = ()
        for column in tl.static_range(COLUMNS):
            sign = (byte // 3**column % 3).to(tl.int32) - 1
            if accumulate or number > 0:
                sums += (totals[column] + sign.to(tl.float32) * scale,)  # type: ignore[assignment]
            else:
                sums += (sign.to(tl.float32) * scale,)  # type: ignore[assignment]
        totals = sums
    store_columns(out + start, numel, width, totals)
