"""GPU implementation of the compressor TernGrad. Every program handles one group of 1280 signs."""

from collections.abc import Sequence
from dataclasses import dataclass

import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.codecs.scale import scale_of
from liecbench.compressors.kernels.dispatch import Operations
from liecbench.compressors.kernels.layout import GROUP
from liecbench.compressors.kernels.triton.blocks import by_blocks, launch_encode
from liecbench.compressors.kernels.triton.magnitude import all_values_finite, largest_magnitude
from liecbench.compressors.kernels.triton.rounding import as_int64, round_stochastically
from liecbench.compressors.kernels.triton.ternary import (
    COLUMNS,
    NUM_WARPS,
    WIDTH,
    column_length,
    load_columns,
    store_bytes,
    store_columns,
    sum_ternary,
)
from liecbench.compressors.terngrad import TernGrad


@dataclass(frozen=True, slots=True)
class TernGradOnGpu(Operations):
    """The GPU implementation of the compressor ``TernGrad``."""

    compressor: TernGrad

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the message of ``vector`` to ``payload``: the scale, and a level for each entry of ``vector``.

        The scale is the largest magnitude in ``vector``. A level is a random −1, 0 or 1. Unless ``residual`` is None,
        also write entry − scale · level, for each entry, to ``residual``.
        """
        key = as_int64(self.compressor.seed_of_message(self.compressor.seed))
        largest_magnitude(vector, scale_of(payload))
        launch_encode(_encode, GROUP, vector, payload, residual, key, num_warps=NUM_WARPS)

    def sum_payloads(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        """Write Σ ``weight`` · scale · sign over the payloads to ``out``, or add it to ``out`` if ``accumulate``."""
        sum_ternary(payloads, out, accumulate, weight)

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether the scale is finite. NaN or infinity in the vector makes the scale NaN or infinite."""
        return all_values_finite(scale_of(payload))


@triton.jit(do_not_specialize=["numel", "key"])  # type: ignore[untyped-decorator]
def _encode(  # type: ignore[no-untyped-def]
    vector, numel, payload, residual, key: tl.int64, has_residual: tl.constexpr, block_size: tl.constexpr
):
    by_blocks(_encode_group, numel, block_size, (vector, payload, residual, key, has_residual))


@triton.jit  # type: ignore[untyped-decorator]
def _encode_group(vector, payload, residual, key, has_residual: tl.constexpr, start, length):  # type: ignore[no-untyped-def]
    scale = tl.load(payload.to(tl.pointer_type(tl.float32)))
    usable = (scale > 0) & (scale < float("inf"))
    factor = tl.where(usable, 1 / tl.where(usable, scale, 1.0).to(tl.float64), 0.0)
    columns, rest = load_columns(vector + start, length), ()
    byte = tl.zeros([WIDTH], tl.int32)
    row = tl.arange(0, WIDTH).to(tl.uint32)
    for column in tl.static_range(COLUMNS):
        counter = (start + column * column_length(length)).to(tl.uint32) + row
        sign = round_stochastically(columns[column], factor, 1.0, counter, key)
        byte += 3**column * (1 + sign)
        rest += (columns[column] - sign.to(tl.float32) * scale,)  # type: ignore[assignment]
    store_bytes(payload, length, byte)
    if has_residual:
        store_columns(residual + start, length, rest)
