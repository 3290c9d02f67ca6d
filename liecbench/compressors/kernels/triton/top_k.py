"""GPU implementation of the compressor TopK."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from liecbench.compressors.kernels.dispatch import Operations
from liecbench.compressors.kernels.triton.elias_fano import add_at_positions, encode_positions
from liecbench.compressors.kernels.triton.largest import take_largest
from liecbench.compressors.kernels.triton.magnitude import all_values_finite
from liecbench.compressors.top_k import TopK


@dataclass(frozen=True, slots=True)
class TopKOnGpu(Operations):
    """The GPU implementation of the compressor ``TopK``."""

    compressor: TopK

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the k entries of largest magnitude and their encoded positions to ``payload``.

        Unless ``residual`` is None, also write ``vector`` with zeros in place of these k entries to ``residual``.
        """
        entries, packed = self.compressor.parts(payload, vector.numel())
        positions = take_largest(vector, entries, residual)
        encode_positions(self.compressor.code(vector.numel()), positions, packed)

    def sum_payloads(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        """Add ``weight`` times the entries of each payload to ``out`` at the payload's positions.

        Unless ``accumulate``, first set ``out`` to 0.
        """
        if not accumulate:
            out.zero_()
        for payload in payloads:
            entries, packed = self.compressor.parts(payload, out.numel())
            add_at_positions(self.compressor.code(out.numel()), packed, entries, weight, out)

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether all kept entries are finite. NaN and infinity count as the largest magnitudes and are kept."""
        entries, _ = self.compressor.parts(payload, numel)
        return all_values_finite(entries)
