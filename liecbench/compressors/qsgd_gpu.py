"""GPU kernels of QSGD, in the layout of ``qsgd_cpu``; a program has one bucket."""

from collections.abc import Sequence

import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.qsgd_cpu import BUCKET
from liecbench.compressors.rounding_gpu import round_stochastically, signed
from liecbench.compressors.sums_gpu import passes, tree_sum

_BUCKET = tl.constexpr(BUCKET)
_HALVINGS = tl.constexpr(BUCKET.bit_length() - 1)
_COLUMNS = tl.constexpr(8)
_WORDS = tl.constexpr(BUCKET // 8)
_LARGEST = tl.constexpr(3.4028234663852886e38)


def compress(vector: Tensor, payload: Tensor, residual: Tensor | None, *, most: int, width: int, key: int) -> None:
    """Norms and packed levels into ``payload``, and what they leave in ``residual``, which may be the vector."""
    _compress[_buckets(vector.numel())](
        vector,
        vector.numel(),
        signed(key),
        payload,
        vector if residual is None else residual,
        most=most,
        width=width,
        keep=residual is not None,
        num_warps=1,
        enable_fp_fusion=False,
    )


def add_up(payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float, *, most: int, width: int) -> None:
    """Σ ``weight`` · norm · level / s in the order of ``payloads``, written to ``out`` or added to it."""
    for part, add in passes(payloads, accumulate):
        _add_up[_buckets(out.numel())](
            part,
            weight,
            out,
            out.numel(),
            count=len(part),
            accumulate=add,
            most=most,
            width=width,
            num_warps=1,
            enable_fp_fusion=False,
        )


def _buckets(numel: int) -> tuple[int]:
    return (triton.cdiv(numel, BUCKET),)


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
    key: tl.int64,
    payload,
    residual,
    most: tl.constexpr,
    width: tl.constexpr,
    keep: tl.constexpr,
):
    bucket = tl.program_id(0)
    start = bucket.to(tl.int64) * _BUCKET
    places = tl.arange(0, _BUCKET)
    packed = payload + 4 * tl.num_programs(0).to(tl.int64) + start // _COLUMNS * width
    norms = payload.to(tl.pointer_type(tl.float32))
    if start + _BUCKET <= numel:
        norm = _norm(tl.load(vector + start + places))
        tl.store(norms + bucket, norm)
        _round_bucket(vector, start, _BUCKET, _WORDS, norm, key, packed, residual, most, width, keep)
    else:
        left = (numel - start).to(tl.int32)
        norm = _norm(tl.load(vector + start + places, mask=places < left, other=0.0))
        tl.store(norms + bucket, norm)
        words = tl.cdiv(left, _COLUMNS)
        _round_bucket(vector, start, left, words, norm, key, packed, residual, most, width, keep)


@triton.jit  # type: ignore[untyped-decorator]
def _round_bucket(  # type: ignore[no-untyped-def]
    vector,
    start,
    numel,
    words,
    norm,
    key,
    packed,
    residual,
    most: tl.constexpr,
    width: tl.constexpr,
    keep: tl.constexpr,
):
    column, word = tl.arange(0, _COLUMNS)[:, None], tl.arange(0, _WORDS)
    places = column * words + word[None, :]
    inside = (word[None, :] < words) & (places < numel)
    # The second reading of the bucket comes from a cache.
    value = tl.load(vector + start + places, mask=inside, other=0.0)
    known = (norm > 0) & (norm < float("inf"))
    factor = tl.where(known, most / tl.where(known, norm, 1.0).to(tl.float64), 0.0)
    level = round_stochastically(value, factor, most, start.to(tl.uint32) + places.to(tl.uint32), key)
    code = tl.sum((level + most).to(tl.uint64) << (column * width).to(tl.uint64), axis=0)
    for byte in tl.static_range(width):
        tl.store(packed + byte * words + word, (code >> (8 * byte)).to(tl.uint8), mask=word < words)
    if keep:
        tl.store(residual + start + places, value - level.to(tl.float32) * _quotient(norm, most), mask=inside)


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _add_up(  # type: ignore[no-untyped-def]
    payloads,
    weight: tl.float32,
    out,
    numel,
    count: tl.constexpr,
    accumulate: tl.constexpr,
    most: tl.constexpr,
    width: tl.constexpr,
):
    start = tl.program_id(0).to(tl.int64) * _BUCKET
    if start + _BUCKET <= numel:
        _add_up_bucket(payloads, weight, out, start, _BUCKET, _WORDS, count, accumulate, most, width)
    else:
        left = (numel - start).to(tl.int32)
        words = tl.cdiv(left, _COLUMNS)
        _add_up_bucket(payloads, weight, out, start, left, words, count, accumulate, most, width)


@triton.jit  # type: ignore[untyped-decorator]
def _add_up_bucket(  # type: ignore[no-untyped-def]
    payloads,
    weight,
    out,
    start,
    numel,
    words,
    count: tl.constexpr,
    accumulate: tl.constexpr,
    most: tl.constexpr,
    width: tl.constexpr,
):
    column, word = tl.arange(0, _COLUMNS)[:, None], tl.arange(0, _WORDS)
    places = column * words + word[None, :]
    inside = (word[None, :] < words) & (places < numel)
    if accumulate:
        total = tl.load(out + start + places, mask=inside)
    for number in tl.static_range(count):
        norm = tl.load(payloads[number].to(tl.pointer_type(tl.float32)) + tl.program_id(0))
        packed = payloads[number] + 4 * tl.num_programs(0).to(tl.int64) + start // _COLUMNS * width
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
