"""GPU implementation of the compressors Sign and SignL2.

Compression with a residual moves 12.1 bytes per element: it reads an element twice, for the scale and for the sign, and
writes the residual and one bit. Summing 8 messages moves 5 bytes per element, or 9 if the sum is added to an existing
vector. For comparison, copying a vector moves 8 bytes per element.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.codecs.scale import SCALE_BYTES, scale_of
from liecbench.compressors.kernels.dispatch import Operations
from liecbench.compressors.kernels.triton.blocks import by_blocks, launch_encode, launch_sum
from liecbench.compressors.kernels.triton.magnitude import all_values_finite, mean_magnitude, root_mean_square
from liecbench.compressors.kernels.triton.summation import weighted_scale
from liecbench.compressors.sign import Sign

_BLOCK = 2048
_SCALE_BYTES = tl.constexpr(SCALE_BYTES)


@dataclass(frozen=True, slots=True)
class SignOnGpu(Operations):
    """The GPU implementation of the compressor ``Sign``."""

    compressor: Sign

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the scale, which is the mean magnitude in ``vector``, and the sign of each entry to ``payload``.

        Unless ``residual`` is None, also write ``vector`` − C(``vector``) to ``residual``.
        """
        mean_magnitude(vector, scale_of(payload))
        pack(vector, payload, residual)

    def sum_payloads(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        """Write Σ ``weight`` · scale · sign over the payloads to ``out``, or add it to ``out`` if ``accumulate``."""
        launch_sum(_sum, _BLOCK, payloads, out, accumulate, weight)

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether the scale is finite. If any element of the vector is NaN or infinite, so is the scale."""
        return all_values_finite(scale_of(payload))


@dataclass(frozen=True, slots=True)
class SignL2OnGpu(SignOnGpu):
    """The GPU implementation of the compressor ``SignL2``."""

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the scale, which is the root mean square of ``vector``, and the sign of each entry to ``payload``.

        Unless ``residual`` is None, also write ``vector`` − C(``vector``) to ``residual``.
        """
        root_mean_square(vector, scale_of(payload))
        pack(vector, payload, residual)


def pack(vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
    """Write the signs of ``vector``, one bit per element, to ``payload``, behind the scale.

    The caller must have written the scale to ``payload``. Unless ``residual`` is None, also write ``vector`` −
    scale · sign(``vector``) to ``residual``. The sign of 0 is 1.
    """
    launch_encode(_pack, _BLOCK, vector, payload, residual)


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _pack(vector, numel, payload, residual, has_residual: tl.constexpr, block_size: tl.constexpr):  # type: ignore[no-untyped-def]
    by_blocks(_pack_block, numel, block_size, (vector, payload, residual, has_residual, block_size))


@triton.jit  # type: ignore[untyped-decorator]
def _pack_block(  # type: ignore[no-untyped-def]
    vector, payload, residual, has_residual: tl.constexpr, block_size: tl.constexpr, start, length
):
    scale = tl.load(payload.to(tl.pointer_type(tl.float32)))
    byte_index, bit = tl.arange(0, block_size // 8), tl.arange(0, 8)[None, :]
    index = 8 * byte_index[:, None] + bit
    value = tl.load(vector + start + index, mask=index < length, other=-1.0)
    positive = value >= 0
    byte = tl.sum(positive.to(tl.int32) << bit, axis=1).to(tl.uint8)
    tl.store(payload + _SCALE_BYTES + start // 8 + byte_index, byte, mask=byte_index < (length + 7) // 8)
    if has_residual:
        tl.store(residual + start + index, value - tl.where(positive, scale, -scale), mask=index < length)


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _sum(  # type: ignore[no-untyped-def]
    out, numel, payloads, weight: tl.float64, count: tl.constexpr, accumulate: tl.constexpr, block_size: tl.constexpr
):
    by_blocks(_sum_block, numel, block_size, (out, payloads, weight, count, accumulate, block_size))


@triton.jit  # type: ignore[untyped-decorator]
def _sum_block(  # type: ignore[no-untyped-def]
    out, payloads, weight, count: tl.constexpr, accumulate: tl.constexpr, block_size: tl.constexpr, start, length
):
    byte_index, bit = tl.arange(0, block_size // 8), tl.arange(0, 8)[None, :]
    index = 8 * byte_index[:, None] + bit
    # All loads are issued before their values are needed. The messages' bytes are packed into one 64-bit word, so that
    # one exchange between threads moves all of them.
    packed, scales = tl.zeros([block_size // 8], tl.int64), ()
    for number in tl.static_range(count):
        bits = payloads[number] + _SCALE_BYTES + start // 8
        byte = tl.load(bits + byte_index, mask=byte_index < (length + 7) // 8, other=0)
        packed |= byte.to(tl.int64) << (8 * number)
        scales += (weighted_scale(payloads[number], weight),)  # type: ignore[assignment]
    if accumulate:
        total = tl.load(out + start + index, mask=index < length)
    packed = packed[:, None]
    for number in tl.static_range(count):
        byte = (packed >> (8 * number)).to(tl.int32)
        term = tl.where(((byte >> bit) & 1) == 1, scales[number], -scales[number])
        if accumulate or number > 0:
            total += term
        else:
            total = term
    tl.store(out + start + index, total, mask=index < length)
