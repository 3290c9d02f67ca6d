"""The compressor TopK: send the entries of largest magnitude and their positions."""

from typing import ClassVar

import numpy as np
import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.compressors.base import Compressor
from liecbench.compressors.codecs.elias_fano import PositionCode
from liecbench.compressors.kernels import cpu
from liecbench.compressors.sparsity import ENTRY_BYTES, Ratio, num_kept


@dataclass(frozen=True)
class TopK(Compressor):
    """C(v) keeps the k = ⌈ratio · n⌉ entries of largest magnitude, where n is the number of entries of v.

    Of entries of equal magnitude, any may be kept. C is a δ-contraction with δ ≥ k/n. A message holds the k kept
    values as float32, in the order of their positions, and then the positions. Positions are in Elias–Fano code or in a
    bitmap, whichever is shorter. At a ratio of 0.01, they take about 8.6 bits per kept entry. Source: LIEC-SGD (arXiv
    2402.11857), definition 2.

    Attributes:
        ratio: The fraction of the entries that is kept.
    """

    cpu_kernels: ClassVar[tuple[str, ...]] = cpu.modules("elias_fano", "largest")
    gpu_kernels: ClassVar[str | None] = "liecbench.compressors.kernels.triton.top_k:TopKOnGpu"

    ratio: Ratio = 0.01

    def payload_bytes(self, numel: int) -> int:
        """Return the bytes of the k kept entries, 4 bytes each, plus those of their encoded positions."""
        return ENTRY_BYTES * num_kept(self.ratio, numel) + self.code(numel).nbytes

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the k entries of largest magnitude, and their encoded positions, to ``payload``.

        Unless ``residual`` is None, also write ``vector`` to ``residual``, with 0 in place of the k entries.
        """
        entries, packed = self.parts(payload, vector.numel())
        packed.zero_()
        if residual is not None and residual.data_ptr() != vector.data_ptr():
            residual.copy_(vector)
        first = 0
        for positions in cpu.largest.largest_positions(vector.numpy().view(np.int32), entries.numel()):
            self.code(vector.numel()).encode(positions, first, packed.numpy())
            index = torch.from_numpy(positions)
            torch.index_select(vector, 0, index, out=entries[first : first + positions.size])
            if residual is not None:
                residual.index_fill_(0, index, 0.0)
            first += positions.size

    def decode(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        """Add ``weight`` times each entry to ``out`` at its position. Unless ``accumulate``, first set ``out`` to 0."""
        entries, packed = self.parts(payload, out.numel())
        if not accumulate:
            out.zero_()
        self.code(out.numel()).add_at(packed.numpy(), entries.numpy(), weight, out.numpy())

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether every element of C(v) is finite, as a boolean tensor of shape [].

        NaN and infinity count as the largest magnitudes, so that C(v) contains NaN or infinity if v does.
        """
        entries, _ = self.parts(payload, numel)
        return entries.isfinite().all()

    def code(self, numel: int) -> PositionCode:
        """Return the code (Elias–Fano or bitmap) of the kept entries' positions in vectors of ``numel`` elements."""
        return PositionCode.shortest(numel, num_kept(self.ratio, numel))

    def parts(self, payload: Tensor, numel: int) -> tuple[Tensor, Tensor]:
        """Return views of the two parts of ``payload``: the kept entries, float32, and the encoded positions, uint8."""
        size = ENTRY_BYTES * num_kept(self.ratio, numel)
        return payload[:size].view(torch.float32), payload[size:]
