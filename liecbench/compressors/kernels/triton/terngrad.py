"""GPU kernel of TernGrad; a program has one group of signs."""

import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.kernels.cpu.ternary import GROUP
from liecbench.compressors.kernels.triton import blocks as blocks_gpu
from liecbench.compressors.kernels.triton.blocks import by_blocks
from liecbench.compressors.kernels.triton.rounding import round_stochastically, signed
from liecbench.compressors.kernels.triton.ternary import (
    COLUMNS,
    NUM_WARPS,
    WIDTH,
    bytes_of,
    load_columns,
    store_bytes,
    store_columns,
)


def compress(vector: Tensor, payload: Tensor, residual: Tensor | None, key: int) -> None:
    """Signs drawn with probability |v| / scale into ``payload`` behind it, and what they leave in ``residual``."""
    blocks_gpu.compress(_compress, GROUP, vector, payload, residual, signed(key), num_warps=NUM_WARPS)


@triton.jit(do_not_specialize=["numel", "key"])  # type: ignore[untyped-decorator]
def _compress(vector, numel, payload, residual, key: tl.int64, keep: tl.constexpr, size: tl.constexpr):  # type: ignore[no-untyped-def]
    by_blocks(_compress_group, numel, size, (vector, payload, residual, key, keep))


@triton.jit  # type: ignore[untyped-decorator]
def _compress_group(vector, payload, residual, key, keep: tl.constexpr, start, numel):  # type: ignore[no-untyped-def]
    scale = tl.load(payload.to(tl.pointer_type(tl.float32)))
    known = (scale > 0) & (scale < float("inf"))
    factor = tl.where(known, 1 / tl.where(known, scale, 1.0).to(tl.float64), 0.0)
    columns, kept = load_columns(vector + start, numel), ()
    byte = tl.zeros([WIDTH], tl.int32)
    row = tl.arange(0, WIDTH).to(tl.uint32)
    for column in tl.static_range(COLUMNS):
        counter = (start + column * bytes_of(numel)).to(tl.uint32) + row
        sign = round_stochastically(columns[column], factor, 1.0, counter, key)
        byte += 3**column * (1 + sign)
        kept += (columns[column] - sign.to(tl.float32) * scale,)  # type: ignore[assignment]
    store_bytes(payload, numel, byte)
    if keep:
        store_columns(residual + start, numel, kept)
