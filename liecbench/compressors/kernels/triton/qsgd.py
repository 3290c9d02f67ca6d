"""GPU kernels of QSGD, in the layout of ``qsgd_cpu``; a program has one bucket."""

from collections.abc import Sequence

import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.kernels.cpu.qsgd import BUCKET
from liecbench.compressors.kernels.triton import blocks as blocks_gpu
from liecbench.compressors.kernels.triton.blocks import by_blocks
from liecbench.compressors.kernels.triton.rounding import round_stochastically, signed
from liecbench.compressors.kernels.triton.summation import tree_sum

_HALVINGS = tl.constexpr(BUCKET.bit_length() - 1)
_COLUMNS = tl.constexpr(8)
_WORDS = tl.constexpr(BUCKET // 8)
_LARGEST = tl.constexpr(3.4028234663852886e38)


def compress(vector: Tensor, payload: Tensor, residual: Tensor | None, *, most: int, width: int, key: int) -> None:
    """Norms and packed levels into ``payload``, and what they leave in ``residual``, which may be the vector."""
    options = {"most": most, "width": width, "num_warps": 1}
    blocks_gpu.compress(_compress, BUCKET, vector, payload, residual, signed(key), **options)


def sum_messages(
    payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float, *, most: int, width: int
) -> None:
    """Σ ``weight`` · norm · level / s in the order of ``payloads``, written to ``out`` or added to it."""
    options = {"most": most, "width": width, "num_warps": 1}
    blocks_gpu.sum_messages(_sum_messages, BUCKET, payloads, out, accumulate, weight, **options)


@triton.jit
def _norm(values):  # type: ignore[no-untyped-def]
    squares = tree_sum(values * values, _HALVINGS).to(tl.float64)
    inside = (squares > 1e-30) & (squares < 1e38)
    if not inside:
        wide = values.to(tl.float64)
        squares = tree_sum(wide * wide, _HALVINGS)
    norm = tl.sqrt(squares)
    return tl.where((norm > _LARGEST) & (norm < float("inf")), _LARGEST, norm).to(tl.float32)


@triton.jit  # type: ignore[untyped-decorator]
def _quotient(norm, most: tl.constexpr):  # type: ignore[no-untyped-def]
    return tl.div_rn(norm, tl.full([], most, tl.float32))


@triton.jit(do_not_specialize=["numel", "key"])  # type: ignore[untyped-decorator]
def _compress(  # type: ignore[no-untyped-def]
    vector,
    numel,
    payload,
    residual,
    key: tl.int64,
    most: tl.constexpr,
    width: tl.constexpr,
    keep: tl.constexpr,
    size: tl.constexpr,
):
    by_blocks(_compress_bucket, numel, size, (vector, payload, residual, key, most, width, keep, size))


@triton.jit  # type: ignore[untyped-decorator]
def _compress_bucket(  # type: ignore[no-untyped-def]
    vector,
    payload,
    residual,
    key,
    most: tl.constexpr,
    width: tl.constexpr,
    keep: tl.constexpr,
    size: tl.constexpr,
    start,
    numel,
):
    row = tl.arange(0, size)
    norm = _norm(tl.load(vector + start + row, mask=row < numel, other=0.0))
    tl.store(payload.to(tl.pointer_type(tl.float32)) + tl.program_id(0), norm)
    words = (numel + (_COLUMNS - 1)) // _COLUMNS
    column, word = tl.arange(0, _COLUMNS)[:, None], tl.arange(0, _WORDS)
    places = column * words + word[None, :]
    inside = (word[None, :] < words) & (places < numel)
    # The second reading of the bucket comes from a cache.
    value = tl.load(vector + start + places, mask=inside, other=0.0)
    known = (norm > 0) & (norm < float("inf"))
    factor = tl.where(known, most / tl.where(known, norm, 1.0).to(tl.float64), 0.0)
    level = round_stochastically(value, factor, most, start.to(tl.uint32) + places.to(tl.uint32), key)
    code = tl.sum((level + most).to(tl.uint64) << (column * width).to(tl.uint64), axis=0)
    packed = _packed(payload, start, width)
    for byte in tl.static_range(width):
        tl.store(packed + byte * words + word, (code >> (8 * byte)).to(tl.uint8), mask=word < words)
    if keep:
        tl.store(residual + start + places, value - level.to(tl.float32) * _quotient(norm, most), mask=inside)


@triton.jit  # type: ignore[untyped-decorator]
def _packed(payload, start, width: tl.constexpr):  # type: ignore[no-untyped-def]
    """Where the levels of this program's bucket begin, behind the norms of all."""
    return payload + 4 * tl.num_programs(0).to(tl.int64) + start // _COLUMNS * width


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _sum_messages(  # type: ignore[no-untyped-def]
    out,
    numel,
    payloads,
    weight: tl.float32,
    count: tl.constexpr,
    accumulate: tl.constexpr,
    most: tl.constexpr,
    width: tl.constexpr,
    size: tl.constexpr,
):
    by_blocks(_sum_bucket, numel, size, (out, payloads, weight, count, accumulate, most, width))


@triton.jit  # type: ignore[untyped-decorator]
def _sum_bucket(  # type: ignore[no-untyped-def]
    out,
    payloads,
    weight,
    count: tl.constexpr,
    accumulate: tl.constexpr,
    most: tl.constexpr,
    width: tl.constexpr,
    start,
    numel,
):
    words = (numel + (_COLUMNS - 1)) // _COLUMNS
    column, word = tl.arange(0, _COLUMNS)[:, None], tl.arange(0, _WORDS)
    places = column * words + word[None, :]
    inside = (word[None, :] < words) & (places < numel)
    if accumulate:
        total = tl.load(out + start + places, mask=inside)
    for number in tl.static_range(count):
        norm = tl.load(payloads[number].to(tl.pointer_type(tl.float32)) + tl.program_id(0))
        packed = _packed(payloads[number], start, width)
        code = tl.zeros([_WORDS], tl.uint64)
        for byte in tl.static_range(width):
            part = tl.load(packed + byte * words + word, mask=word < words, other=0)
            code |= part.to(tl.uint64) << (8 * byte)
        shifted = code[None, :] >> (column * width).to(tl.uint64)
        level = (shifted & (2**width - 1)).to(tl.int32) - most
        term = level.to(tl.float32) * (_quotient(norm, most) * weight)
        if accumulate or number > 0:
            total += term
        else:
            total = term
    tl.store(out + start + places, total, mask=inside)
