"""Top-k: the entries of largest magnitude and their positions."""

from collections.abc import Sequence

import numpy as np
import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.compressors.base import Compressor, Message
from liecbench.compressors.codecs import largest
from liecbench.compressors.codecs import ratio as share
from liecbench.compressors.codecs.elias_fano import Coding

_ENTRY_BYTES = 4


@dataclass(frozen=True)
class TopK(Compressor):
    """C(v) keeps the ⌈ratio · n⌉ entries of largest magnitude, exactly; ties fall either way.

    A δ-contraction with δ ≥ k/n. A message is k float32 values in the order of their positions, then the positions in
    Elias–Fano code or as a bitmap: 8.6 bits each at 1 %. Source: LIEC-SGD (arXiv 2402.11857), definition 2.
    """

    ratio: share.Ratio = 0.01

    def kept(self, numel: int) -> int:
        """k: how many of ``numel`` entries travel."""
        return share.kept(self.ratio, numel)

    def is_finite(self, message: Message) -> bool:
        """Whether the values kept are: those that are not finite are kept first."""
        entries, _ = self._parts(message.payload, message.numel)
        return bool(entries.isfinite().all())

    def payload_bytes(self, numel: int) -> int:
        """A value for each entry kept, and the code of their positions."""
        kept = self.kept(numel)
        return _ENTRY_BYTES * kept + Coding.shortest(numel, kept).nbytes

    def _compress(self, tensor: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        kept = self.kept(tensor.numel())
        coding = Coding.shortest(tensor.numel(), kept)
        entries, packed = self._parts(payload, tensor.numel())
        packed.zero_()
        if residual is not None and residual.data_ptr() != tensor.data_ptr():
            residual.copy_(tensor)
        first = 0
        for positions in largest.largest(tensor.numpy().view(np.int32), kept):
            coding.encode(positions, first, packed.numpy())
            index = torch.from_numpy(positions)
            torch.index_select(tensor, 0, index, out=entries[first : first + positions.size])
            if residual is not None:
                residual.index_fill_(0, index, 0.0)
            first += positions.size

    def _decompress(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        entries, packed = self._parts(payload, out.numel())
        if not accumulate:
            out.zero_()
        coding = Coding.shortest(out.numel(), self.kept(out.numel()))
        coding.add_at(packed.numpy(), entries.numpy(), weight, out.numpy())

    def _compress_on_gpu(self, tensor: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        from liecbench.compressors.kernels.triton import largest as selection_gpu

        entries, packed = self._parts(payload, tensor.numel())
        positions = selection_gpu.take(tensor, entries.numel(), entries, residual)
        Coding.shortest(tensor.numel(), entries.numel()).encode_on_gpu(positions, packed)

    def _sum_messages_on_gpu(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        """One message after the other: each touches only the entries that it holds."""
        if not accumulate:
            out.zero_()
        coding = Coding.shortest(out.numel(), self.kept(out.numel()))
        for payload in payloads:
            entries, packed = self._parts(payload, out.numel())
            coding.add_at_on_gpu(packed, entries, weight, out)

    def _is_finite_on_gpu(self, message: Message) -> Tensor:
        from liecbench.compressors.kernels.triton import magnitude as magnitude_gpu

        entries, _ = self._parts(message.payload, message.numel)
        return magnitude_gpu.all_finite(entries)

    def _parts(self, payload: Tensor, numel: int) -> tuple[Tensor, Tensor]:
        size = _ENTRY_BYTES * self.kept(numel)
        return payload[:size].view(torch.float32), payload[size:]
