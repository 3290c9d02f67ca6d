"""What a third party writes: a method and a compressor, each a dataclass whose fields are its options."""

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Gt
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as checked_dataclass
from torch import Tensor

from liecbench.algorithms import Block, Route, ServerAlgorithm
from liecbench.compressors import Compressor, Identity, Message


@dataclass(frozen=True)
class EveryOther(Compressor):
    """C(v) keeps the entries at even positions: a contraction wherever they carry some of the norm."""

    def payload_bytes(self, numel: int) -> int:
        """Four bytes for every other entry."""
        return 4 * ((numel + 1) // 2)

    def is_finite(self, message: Message) -> bool:
        """Whether all that is kept is."""
        return bool(message.payload.view(torch.float32).isfinite().all())

    def _compress(self, tensor: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        kept = payload.view(torch.float32)
        kept.copy_(tensor[::2])
        if not tensor.isfinite().all():
            kept[0] = torch.nan
        if residual is not None:
            residual.copy_(tensor)
            residual[::2] = 0

    def _decompress(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        if not accumulate:
            out.zero_()
        out[::2].add_(payload.view(torch.float32), alpha=weight)


@checked_dataclass(kw_only=True, eq=False, config=ConfigDict(arbitrary_types_allowed=True))
class ClippedSGD(ServerAlgorithm):
    """u = mean(C(g_i)), no element of it larger than ``limit``."""

    compressor: Compressor
    limit: Annotated[float, Gt(0)] = 1.0

    def reduce(self, block: Block) -> Tensor:
        """u = min(max(mean(C(g_i)), −limit), limit)."""
        mean = self.exchange.push(self.compressor, block.gradient, out=block.gradient)
        return self.exchange.pull(Identity(), mean, out=block.gradient).clamp_(-self.limit, self.limit)

    def routes(self, step: int, world_size: int) -> list[Route]:
        """Compressed up, dense down."""
        return [Route(self.compressor, Identity())]
