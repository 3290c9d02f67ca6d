"""GPU implementation of the compressor QSGD. Every program handles one bucket of 512 entries.

``kernels/cpu/qsgd.py`` describes the layout of a payload.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.kernels.dispatch import Operations
from liecbench.compressors.kernels.layout import BUCKET
from liecbench.compressors.kernels.triton.blocks import by_blocks, launch_encode, launch_sum
from liecbench.compressors.kernels.triton.magnitude import all_values_finite
from liecbench.compressors.kernels.triton.rounding import as_int64, round_stochastically
from liecbench.compressors.kernels.triton.summation import tree_sum
from liecbench.compressors.qsgd import QSGD

_HALVINGS = tl.constexpr(BUCKET.bit_length() - 1)
_COLUMNS = tl.constexpr(8)
_WORDS = tl.constexpr(BUCKET // 8)
_LARGEST_FLOAT32 = tl.constexpr(3.4028234663852886e38)


@dataclass(frozen=True, slots=True)
class QSGDOnGpu(Operations):
    """The GPU implementation of the compressor ``QSGD``."""

    compressor: QSGD

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the norm of each bucket, and the randomly rounded level of each entry, to ``payload``.

        Unless ``residual`` is None, also write ``vector`` − C(``vector``) to ``residual``, where C is the compressor.
        """
        key = as_int64(self.compressor.seed_of_message(self.compressor.seed))
        launch_encode(_encode, BUCKET, vector, payload, residual, key, **self._options())

    def sum_payloads(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        """Write ``weight`` × the sum of the decoded payloads to ``out``, or add this product if ``accumulate``.

        An entry is decoded as norm · level / ``levels``. The norm is that of the entry's bucket, the level is the
        entry's, and ``levels`` is the compressor's option.
        """
        launch_sum(_sum, BUCKET, payloads, out, accumulate, weight, **self._options())

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether all norms in the payload are finite, as a boolean tensor of shape [].

        The norm of a bucket is NaN or infinite if any entry of the bucket is NaN or infinite.
        """
        return all_values_finite(self.compressor.norms(payload, numel))

    def _options(self) -> dict[str, int]:
        return {"largest_level": self.compressor.levels, "width": self.compressor.width, "num_warps": 1}


@triton.jit
def _norm(values):  # type: ignore[no-untyped-def]
    squares = tree_sum(values * values, _HALVINGS).to(tl.float64)
    inside = (squares > 1e-30) & (squares < 1e38)
    if not inside:
        wide = values.to(tl.float64)
        squares = tree_sum(wide * wide, _HALVINGS)
    norm = tl.sqrt(squares)
    return tl.where((norm > _LARGEST_FLOAT32) & (norm < float("inf")), _LARGEST_FLOAT32, norm).to(tl.float32)


@triton.jit  # type: ignore[untyped-decorator]
def _quotient(norm, largest_level: tl.constexpr):  # type: ignore[no-untyped-def]
    return tl.div_rn(norm, tl.full([], largest_level, tl.float32))


@triton.jit(do_not_specialize=["numel", "key"])  # type: ignore[untyped-decorator]
def _encode(  # type: ignore[no-untyped-def]
    vector,
    numel,
    payload,
    residual,
    key: tl.int64,
    largest_level: tl.constexpr,
    width: tl.constexpr,
    has_residual: tl.constexpr,
    block_size: tl.constexpr,
):
    by_blocks(
        _encode_bucket,
        numel,
        block_size,
        (vector, payload, residual, key, largest_level, width, has_residual, block_size),
    )


@triton.jit  # type: ignore[untyped-decorator]
def _encode_bucket(  # type: ignore[no-untyped-def]
    vector,
    payload,
    residual,
    key,
    largest_level: tl.constexpr,
    width: tl.constexpr,
    has_residual: tl.constexpr,
    block_size: tl.constexpr,
    start,
    length,
):
    row = tl.arange(0, block_size)
    norm = _norm(tl.load(vector + start + row, mask=row < length, other=0.0))
    tl.store(payload.to(tl.pointer_type(tl.float32)) + tl.program_id(0), norm)
    words = (length + (_COLUMNS - 1)) // _COLUMNS
    column, word = tl.arange(0, _COLUMNS)[:, None], tl.arange(0, _WORDS)
    index = column * words + word[None, :]
    inside = (word[None, :] < words) & (index < length)
    # This second load of the bucket comes from a cache.
    value = tl.load(vector + start + index, mask=inside, other=0.0)
    usable = (norm > 0) & (norm < float("inf"))
    factor = tl.where(usable, largest_level / tl.where(usable, norm, 1.0).to(tl.float64), 0.0)
    level = round_stochastically(value, factor, largest_level, start.to(tl.uint32) + index.to(tl.uint32), key)
    code = tl.sum((level + largest_level).to(tl.uint64) << (column * width).to(tl.uint64), axis=0)
    packed = _packed(payload, start, width)
    for byte in tl.static_range(width):
        tl.store(packed + byte * words + word, (code >> (8 * byte)).to(tl.uint8), mask=word < words)
    if has_residual:
        sent = level.to(tl.float32) * _quotient(norm, largest_level)
        tl.store(residual + start + index, value - sent, mask=inside)


@triton.jit  # type: ignore[untyped-decorator]
def _packed(payload, start, width: tl.constexpr):  # type: ignore[no-untyped-def]
    """Return the address in ``payload`` at which the packed levels of this program's bucket begin.

    ``start`` is the index of the bucket's first entry in the vector, and ``width`` the number of bits per level. The
    payload consists of the norms of all buckets, followed by the levels of all buckets.
    """
    return payload + 4 * tl.num_programs(0).to(tl.int64) + start // _COLUMNS * width


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _sum(  # type: ignore[no-untyped-def]
    out,
    numel,
    payloads,
    weight: tl.float32,
    count: tl.constexpr,
    accumulate: tl.constexpr,
    largest_level: tl.constexpr,
    width: tl.constexpr,
    block_size: tl.constexpr,
):
    by_blocks(_sum_bucket, numel, block_size, (out, payloads, weight, count, accumulate, largest_level, width))


@triton.jit  # type: ignore[untyped-decorator]
def _sum_bucket(  # type: ignore[no-untyped-def]
    out,
    payloads,
    weight,
    count: tl.constexpr,
    accumulate: tl.constexpr,
    largest_level: tl.constexpr,
    width: tl.constexpr,
    start,
    length,
):
    words = (length + (_COLUMNS - 1)) // _COLUMNS
    column, word = tl.arange(0, _COLUMNS)[:, None], tl.arange(0, _WORDS)
    index = column * words + word[None, :]
    inside = (word[None, :] < words) & (index < length)
    if accumulate:
        total = tl.load(out + start + index, mask=inside)
    for number in tl.static_range(count):
        norm = tl.load(payloads[number].to(tl.pointer_type(tl.float32)) + tl.program_id(0))
        packed = _packed(payloads[number], start, width)
        code = tl.zeros([_WORDS], tl.uint64)
        for byte in tl.static_range(width):
            part = tl.load(packed + byte * words + word, mask=word < words, other=0)
            code |= part.to(tl.uint64) << (8 * byte)
        shifted = code[None, :] >> (column * width).to(tl.uint64)
        level = (shifted & (2**width - 1)).to(tl.int32) - largest_level
        term = level.to(tl.float32) * (_quotient(norm, largest_level) * weight)
        if accumulate or number > 0:
            total += term
        else:
            total = term
    tl.store(out + start + index, total, mask=inside)
