"""EF21-BC: EF21 whose server compresses, too, how its mean differs from what the workers hold."""

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.compressed import CompressedAlgorithm
from liecbench.algorithms.server import Route


@dataclass(kw_only=True, eq=False, config=CONFIG)
class EF21BC(CompressedAlgorithm):
    """EF21 with bidirectional compression (Fatkhullin et al. 2021, arXiv 2110.03294).

    h_i ← h_i + C(g_i − h_i); h ← h + C(mean(h_i) − h); u = h. The server keeps mean(h_i) − h, which is its error:
    v = mean(c_i) + that, what it sends is C(v), and what stays is v − C(v).
    """

    def allocate(self) -> dict[str, list[Tensor]]:
        """This worker's estimate h_i, the estimate h that all hold, and the server's mean(h_i) − h."""
        return {
            "estimate": self.worker_memory(),
            "shared_estimate": self.worker_memory(),
            "server_error": self.server_memory(),
        }

    def vector(self, block: Block) -> Tensor:
        """g − h_i, in scratch."""
        return torch.sub(block.gradient, self._memories["estimate"][block.index], out=self.scratch(block.numel))

    def reduce(self, block: Block) -> Tensor:
        """c_i = C(g_i − h_i); h_i ← h_i + c_i; b = C(mean(h_i) − h); h ← h + b; u = h."""
        difference = self.vector(block)
        mean = self.exchange.push(self.compressor, difference, residual=difference)
        estimate = torch.sub(block.gradient, difference, out=difference)
        memory = self._memories["server_error"][block.index]
        update = self.exchange.pull(self.compressor, mean, out=block.gradient, error=memory)
        self._memories["estimate"][block.index].copy_(estimate)
        return update.copy_(self._memories["shared_estimate"][block.index].add_(update))

    def routes(self, step: int, world_size: int) -> list[Route]:
        """Compressed both ways."""
        return [Route(self.compressor, self.compressor)]
