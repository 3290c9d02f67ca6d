"""GPU implementation of the compressor RandomK. The host draws the positions."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.kernels.cpu.random_k import LARGEST_FLOAT32
from liecbench.compressors.kernels.dispatch import Operations
from liecbench.compressors.kernels.triton.blocks import by_blocks, launch
from liecbench.compressors.kernels.triton.magnitude import all_values_finite, largest_magnitude
from liecbench.compressors.random_k import RandomK

_BLOCK = 512
_LARGEST_FLOAT32 = tl.constexpr(float(LARGEST_FLOAT32))


@dataclass(frozen=True, slots=True)
class RandomKOnGpu(Operations):
    """The GPU implementation of the compressor ``RandomK``."""

    compressor: RandomK

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the elements of ``vector`` at the drawn positions to ``payload``, multiplied by ``RandomK.scale``.

        Unless ``residual`` is None, also write ``vector`` minus the decoded payload to ``residual``. If any element of
        ``vector`` is not finite, the first number in ``payload`` becomes NaN.
        """
        positions = self.compressor.positions(vector.numel(), vector.device)
        largest, target = torch.empty(1, device=vector.device), vector if residual is None else residual
        largest_magnitude(vector, largest, None if target.data_ptr() == vector.data_ptr() else target)
        arguments = (vector, self.compressor.scale(vector.numel()), largest, payload.view(torch.float32), target)
        launch(_take, _BLOCK, positions, *arguments, has_residual=residual is not None)

    def sum_payloads(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        """Decode the payloads, and add ``weight`` times their sum to ``out``.

        ``out`` is first set to 0 unless ``accumulate``. Entry i of each payload belongs to entry i of
        ``RandomK.positions``.
        """
        if not accumulate:
            out.zero_()
        positions = self.compressor.positions(out.numel(), out.device)
        for payload in payloads:
            launch(_add_at, _BLOCK, positions, payload.view(torch.float32), weight, out)

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether all float32 entries of ``payload`` are finite, as a boolean tensor of shape []."""
        return all_values_finite(payload.view(torch.float32))


@triton.jit(do_not_specialize=["count"])  # type: ignore[untyped-decorator]
def _take(  # type: ignore[no-untyped-def]
    positions,
    count,
    vector,
    scale: tl.float32,
    largest,
    entries,
    residual,
    has_residual: tl.constexpr,
    block_size: tl.constexpr,
):
    by_blocks(
        _take_block,
        count,
        block_size,
        (positions, vector, scale, largest, entries, residual, has_residual, block_size),
    )


@triton.jit  # type: ignore[untyped-decorator]
def _take_block(  # type: ignore[no-untyped-def]
    positions,
    vector,
    scale,
    largest,
    entries,
    residual,
    has_residual: tl.constexpr,
    block_size: tl.constexpr,
    start,
    length,
):
    number = tl.arange(0, block_size)
    position = tl.load(positions + start + number, mask=number < length, other=0)
    value = tl.load(vector + position, mask=number < length, other=0.0)
    entry = value * scale
    entry = tl.where(entry < _LARGEST_FLOAT32, entry, _LARGEST_FLOAT32)
    entry = tl.where(entry > -_LARGEST_FLOAT32, entry, -_LARGEST_FLOAT32)
    becomes_nan = (start + number == 0) & (tl.load(largest.to(tl.pointer_type(tl.int32))) >= 0x7F800000)
    tl.store(entries + start + number, tl.where(becomes_nan, float("nan"), entry), mask=number < length)
    if has_residual:
        tl.store(residual + position, value - entry, mask=number < length)


@triton.jit(do_not_specialize=["count"])  # type: ignore[untyped-decorator]
def _add_at(positions, count, entries, weight: tl.float32, out, block_size: tl.constexpr):  # type: ignore[no-untyped-def]
    by_blocks(_add_at_block, count, block_size, (positions, entries, weight, out, block_size))


@triton.jit  # type: ignore[untyped-decorator]
def _add_at_block(positions, entries, weight, out, block_size: tl.constexpr, start, length):  # type: ignore[no-untyped-def]
    """Add ``weight`` · ``entries[i]`` to ``out[positions[i]]``, for ``start`` ≤ i < ``start`` + ``length``.

    No two positions may be equal. ``length`` is at most ``block_size``.
    """
    number = tl.arange(0, block_size)
    position = tl.load(positions + start + number, mask=number < length, other=0)
    entry = tl.load(entries + start + number, mask=number < length, other=0.0)
    value = tl.load(out + position, mask=number < length, other=0.0)
    tl.store(out + position, value + weight * entry, mask=number < length)
