"""GPU implementation of the compressor ChunkedTopK.

One kernel, with one program per chunk, finds the kept entries. PyTorch's operations pack and unpack them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.chunked_top_k import ChunkedTopK
from liecbench.compressors.codecs import chunk_positions, codebook
from liecbench.compressors.kernels.dispatch import Operations
from liecbench.compressors.kernels.triton.magnitude import all_values_finite, mean_magnitude


@dataclass(frozen=True, slots=True)
class ChunkedTopKOnGpu(Operations):
    """The GPU implementation of the compressor ``ChunkedTopK``."""

    compressor: ChunkedTopK

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the message with the kept entries of ``vector`` to ``payload``.

        Unless ``residual`` is None, also write ``vector`` − C(``vector``) to ``residual``.
        """
        chunk, kept, numel = self.compressor.chunk, self.compressor.kept, vector.numel()
        num_kept = self.compressor.layout(numel).num_kept
        positions = torch.zeros(num_kept, dtype=torch.int64, device=vector.device)
        size = max(triton.next_power_of_2(chunk), 16)
        options = {"chunk": chunk, "kept": kept, "block_size": size, "num_warps": 8 if size >= 2048 else 4}
        _largest_of_chunks[(triton.cdiv(numel, chunk),)](vector.view(torch.int32), numel, positions, **options)
        self.compressor.write(vector, positions, payload, residual, self._pack, _quantize)

    def sum_payloads(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        """Add ``weight`` times the kept values of each payload to ``out`` at the payload's positions.

        Unless ``accumulate``, first set ``out`` to 0.
        """
        self.compressor.sum_payloads(payloads, out, accumulate, weight)

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether all floats in the message are finite, as a boolean tensor of shape [].

        The floats are the codebook if the compressor's ``bits`` is 2, and the kept values if ``bits`` is 32.
        ``numel`` is the number of elements of the compressed vector.
        """
        values, _, _ = self.compressor.layout(numel).split(payload)
        return all_values_finite(values)

    def _pack(self, positions: Tensor, packed: Tensor) -> None:
        chunk_positions.pack(positions, self.compressor.chunk, packed)


def _quantize(kept: Tensor, values: Tensor, codes: Tensor) -> Tensor:
    return codebook.quantize(kept, values, codes, mean_magnitude)


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _largest_of_chunks(bits, numel, positions, chunk: tl.constexpr, kept: tl.constexpr, block_size: tl.constexpr):  # type: ignore[no-untyped-def]
    """Write the positions of the ``kept`` largest magnitudes of this program's chunk, ascending, to ``positions``.

    Of equal magnitudes, those at lower positions are preferred. A bisection finds the smallest kept magnitude.
    """
    number = tl.program_id(0).to(tl.int64)
    start, index = number * chunk, tl.arange(0, block_size)
    length = tl.minimum(numel - start, chunk).to(tl.int32)
    inside = index < length
    # Elements outside of the chunk are smaller than every magnitude.
    magnitude = tl.where(inside, tl.load(bits + start + index, mask=inside, other=0) & 0x7FFFFFFF, -1)
    threshold, step = tl.zeros([], tl.int32), tl.full([], 1 << 30, tl.int32)
    for _ in range(31):
        larger = threshold + step
        threshold = tl.where(tl.sum((magnitude >= larger).to(tl.int32)) >= kept, larger, threshold)
        step = step >> 1
    above = magnitude > threshold
    tie = (magnitude == threshold).to(tl.int32)
    chosen = above | ((tie == 1) & (tl.cumsum(tie) <= kept - tl.sum(above.to(tl.int32))))
    rank = tl.cumsum(chosen.to(tl.int32)) - 1
    tl.store(positions + number * kept + rank, start + index, mask=chosen)
