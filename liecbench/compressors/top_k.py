"""Top-k: the entries of largest magnitude and their positions."""

from typing import ClassVar

import numpy as np
import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.compressors.base import Compressor
from liecbench.compressors.codecs.elias_fano import PositionCode
from liecbench.compressors.kernels.cpu.largest import largest_positions
from liecbench.compressors.sparsity import ENTRY_BYTES, Ratio, num_kept


@dataclass(frozen=True)
class TopK(Compressor):
    """C(v) keeps exactly the k = ⌈ratio · n⌉ entries of largest magnitude; of equal magnitudes, any may be kept.

    A δ-contraction with δ ≥ k/n. A message is k float32 values in the order of their positions, and then the positions
    in Elias–Fano code or as a bitmap: 8.6 bits per position at a ratio of 0.01.
    Source: LIEC-SGD (arXiv 2402.11857), definition 2.
    """

    gpu_kernels: ClassVar[str | None] = "liecbench.compressors.kernels.triton.top_k:TopKOnGpu"

    ratio: Ratio = 0.01

    def payload_bytes(self, numel: int) -> int:
        """Return the bytes of the kept entries and of their encoded positions."""
        return ENTRY_BYTES * num_kept(self.ratio, numel) + self.code(numel).nbytes

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the entries of largest magnitude and their encoded positions."""
        entries, packed = self.parts(payload, vector.numel())
        packed.zero_()
        if residual is not None and residual.data_ptr() != vector.data_ptr():
            residual.copy_(vector)
        first = 0
        for positions in largest_positions(vector.numpy().view(np.int32), entries.numel()):
            self.code(vector.numel()).encode(positions, first, packed.numpy())
            index = torch.from_numpy(positions)
            torch.index_select(vector, 0, index, out=entries[first : first + positions.size])
            if residual is not None:
                residual.index_fill_(0, index, 0.0)
            first += positions.size

    def decode(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        """Add ``weight`` times each entry at its position, first setting ``out`` to 0 unless ``accumulate``."""
        entries, packed = self.parts(payload, out.numel())
        if not accumulate:
            out.zero_()
        self.code(out.numel()).add_at(packed.numpy(), entries.numpy(), weight, out.numpy())

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether all kept entries are finite; values that are not finite count as the largest, so are kept."""
        entries, _ = self.parts(payload, numel)
        return entries.isfinite().all()

    def code(self, numel: int) -> PositionCode:
        """Return the encoding of the positions that a message for ``numel`` elements uses."""
        return PositionCode.shortest(numel, num_kept(self.ratio, numel))

    def parts(self, payload: Tensor, numel: int) -> tuple[Tensor, Tensor]:
        """Return views of a payload's two parts: the entries as float32, and the encoded positions as uint8."""
        size = ENTRY_BYTES * num_kept(self.ratio, numel)
        return payload[:size].view(torch.float32), payload[size:]
