"""DoubleSqueeze: compressed both ways, error memories on the workers and on the server."""

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.compressed import ErrorFeedback
from liecbench.algorithms.server import Route
from liecbench.compressors.base import Compressor


@dataclass(kw_only=True, eq=False, config=CONFIG)
class DoubleSqueeze(ErrorFeedback):
    """Error feedback on both sides (Tang et al. 2019, arXiv 1905.05957): u = C(mean(C(g_i + e_i)) + e)."""

    def allocate(self) -> dict[str, list[Tensor]]:
        """The worker's error e_i and the server's error e."""
        return {"error": self.worker_memory(), "server_error": self.server_memory()}

    def vector(self, block: Block) -> Tensor:
        """p = g + e, in scratch."""
        return torch.add(block.gradient, self._memories["error"][block.index], out=self.scratch(block.numel))

    def reduce(self, block: Block) -> Tensor:
        """c = C(p); e_i ← p − c; v = mean(c_i) + e; q = C(v); e ← v − q; u = q."""
        compressor = self._compressor()
        error = self.vector(block)
        mean = self.exchange.push(compressor, error, residual=error)
        memory = self._memories["server_error"][block.index]
        update = self.exchange.pull(compressor, mean, out=block.gradient, error=memory)
        self._memories["error"][block.index].copy_(error)
        return update

    def routes(self, step: int, world_size: int) -> list[Route]:
        """Compressed both ways."""
        return [Route(self._compressor(), self._compressor())]

    def _compressor(self) -> Compressor:
        return self.compressor
