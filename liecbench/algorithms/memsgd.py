"""MEM-SGD: compressed on the way to the server, dense on the way back, an error memory on every worker."""

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.compressed import ErrorFeedback
from liecbench.algorithms.server import Route
from liecbench.compressors.identity import Identity


@dataclass(kw_only=True, eq=False, config=CONFIG)
class MemSGD(ErrorFeedback):
    """Worker error feedback, one-way compression (Stich et al. 2018, arXiv 1809.07599): p = g + e, u = mean(C(p_i))."""

    def allocate(self) -> dict[str, list[Tensor]]:
        """The worker's error e_i."""
        return {"error": self.worker_memory()}

    def vector(self, block: Block) -> Tensor:
        """p = g + e, in scratch."""
        return torch.add(block.gradient, self._memories["error"][block.index], out=self.scratch(block.numel))

    def reduce(self, block: Block) -> Tensor:
        """c = C(p); e ← p − c; u = mean(c_i), sent back dense."""
        error = self.vector(block)
        mean = self.exchange.push(self.compressor, error, residual=error, out=block.gradient)
        update = self.exchange.pull(Identity(), mean, out=block.gradient)
        self._memories["error"][block.index].copy_(error)
        return update

    def routes(self, step: int, world_size: int) -> list[Route]:
        """Compressed up, dense down."""
        return [Route(self.compressor, Identity())]
