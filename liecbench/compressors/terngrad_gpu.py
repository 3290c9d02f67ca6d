"""GPU kernel of TernGrad; a program has one group of signs."""

import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.rounding_gpu import round_stochastically, signed
from liecbench.compressors.trits_cpu import GROUP
from liecbench.compressors.trits_gpu import COLUMNS, NUM_WARPS, WIDTH, group_of, groups, load_columns, store_columns

_GROUP = tl.constexpr(GROUP)


def compress(vector: Tensor, payload: Tensor, residual: Tensor | None, key: int) -> None:
    """Signs drawn with probability |v| / scale into ``payload`` behind it, and what they leave in ``residual``."""
    _compress[groups(vector.numel())](
        vector,
        vector.numel(),
        signed(key),
        payload,
        vector if residual is None else residual,
        keep=residual is not None,
        num_warps=NUM_WARPS,
        enable_fp_fusion=False,
    )


@triton.jit(do_not_specialize=["numel", "key"])  # type: ignore[untyped-decorator]
def _compress(vector, numel, key: tl.int64, payload, residual, keep: tl.constexpr):  # type: ignore[no-untyped-def]
    start = tl.program_id(0).to(tl.int64) * _GROUP
    if start + _GROUP <= numel:
        _compress_group(vector, start, _GROUP, WIDTH, key, payload, residual, keep)
    else:
        left = (numel - start).to(tl.int32)
        _compress_group(vector, start, left, tl.cdiv(left, COLUMNS), key, payload, residual, keep)


@triton.jit  # type: ignore[untyped-decorator]
def _compress_group(vector, start, numel, width, key, payload, residual, keep: tl.constexpr):  # type: ignore[no-untyped-def]
    scale = tl.load(payload.to(tl.pointer_type(tl.float32)))
    known = (scale > 0) & (scale < float("inf"))
    factor = tl.where(known, 1 / tl.where(known, scale, 1.0).to(tl.float64), 0.0)
    columns, kept = load_columns(vector + start, numel, width), ()
    byte = tl.zeros([WIDTH], tl.int32)
    row = tl.arange(0, WIDTH)
    for column in tl.static_range(COLUMNS):
        counter = (start + column * width).to(tl.uint32) + row.to(tl.uint32)
        sign = round_stochastically(columns[column], factor, 1.0, counter, key)
        byte += 3**column * (1 + sign)
        kept += (columns[column] - sign.to(tl.float32) * scale,)  # type: ignore[assignment]
    tl.store(group_of(payload) + row, byte.to(tl.uint8), mask=row < width)
    if keep:
        store_columns(residual + start, numel, width, kept)
