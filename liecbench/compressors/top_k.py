"""Top-k: the entries of largest magnitude and their positions."""

import math
from typing import Annotated

import numpy as np
import torch
from annotated_types import Gt, Le
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.compressors.base import Compressor, Message

_ENTRY_BYTES = 8


@dataclass(frozen=True)
class TopK(Compressor):
    """C(v) keeps the ⌈ratio · n⌉ entries of largest magnitude, exactly; ties fall either way.

    A δ-contraction with δ ≥ k/n. A message is k int32 positions in rising order, then k float32 values.
    Source: LIEC-SGD (arXiv 2402.11857), definition 2.
    """

    ratio: Annotated[float, Gt(0), Le(1)] = 0.01

    def kept(self, numel: int) -> int:
        """k: how many of ``numel`` entries travel."""
        return min(numel, math.ceil(self.ratio * numel))

    def is_finite(self, message: Message) -> bool:
        """Whether the values kept are: those that are not finite are kept first."""
        kept = message.payload_bytes // _ENTRY_BYTES
        return bool(message.payload.view(torch.float32)[kept:].isfinite().all())

    def payload_bytes(self, numel: int) -> int:
        """A position and a value for each entry kept."""
        return _ENTRY_BYTES * self.kept(numel)

    def _compress(self, tensor: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        values = tensor.numpy()
        # As integers magnitudes keep their order, and what is not finite ranks above all else: it always travels.
        magnitude = values.view(np.int32) & 0x7FFFFFFF
        kept = self.kept(tensor.numel())
        order = np.argpartition(magnitude, values.size - kept)[values.size - kept :] if kept < values.size else None
        positions = torch.arange(kept) if order is None else torch.from_numpy(order).sort().values
        index, entries = payload.view(torch.int32)[:kept], payload.view(torch.float32)[kept:]
        index.copy_(positions)
        torch.index_select(tensor, 0, positions, out=entries)
        if residual is not None:
            if residual.data_ptr() != tensor.data_ptr():
                residual.copy_(tensor)
            residual.index_fill_(0, positions, 0.0)

    def _decompress(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        kept = payload.numel() // _ENTRY_BYTES
        positions, entries = payload.view(torch.int32)[:kept], payload.view(torch.float32)[kept:]
        if not accumulate:
            out.zero_()
        out.index_add_(0, positions, entries, alpha=weight)
