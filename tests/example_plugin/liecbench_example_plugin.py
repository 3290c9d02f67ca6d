"""What a third party writes: a method and a compressor, each a dataclass whose fields are its options."""

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Gt
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as checked_dataclass
from torch import Tensor

from liecbench.algorithms import Block, ServerAlgorithm
from liecbench.compressors import Compressor, Identity


@dataclass(frozen=True)
class EveryOther(Compressor):
    """C(v) keeps the entries at even positions: a contraction if they carry some of the norm."""

    def payload_bytes(self, numel: int) -> int:
        """Return 4 bytes for every other entry."""
        return 4 * ((numel + 1) // 2)

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write every other entry; the first becomes NaN if any of the vector is not finite."""
        entries = payload.view(torch.float32)
        entries.copy_(vector[::2])
        if not vector.isfinite().all():
            entries[0] = torch.nan
        if residual is not None:
            residual.copy_(vector)
            residual[::2] = 0

    def decode(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        """Write the entries to even positions, and zeros elsewhere."""
        if not accumulate:
            out.zero_()
        out[::2].add_(payload.view(torch.float32), alpha=weight)

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether all entries are finite."""
        return payload.view(torch.float32).isfinite().all()


@checked_dataclass(kw_only=True, eq=False, config=ConfigDict(arbitrary_types_allowed=True))
class ClippedSGD(ServerAlgorithm):
    """u = mean(C(g_i)), no element of it larger than ``limit``."""

    compressor: Compressor
    limit: Annotated[float, Gt(0)] = 1.0

    def reduce(self, block: Block) -> Tensor:
        """u = min(max(mean(C(g_i)), −limit), limit)."""
        mean = self.exchange.push(self.compressor, block.gradient, out=block.gradient)
        return self.exchange.pull(Identity(), mean, out=block.gradient).clamp_(-self.limit, self.limit)
