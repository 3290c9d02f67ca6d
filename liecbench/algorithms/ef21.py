"""EF21: workers compress how their gradient differs from an estimate of it that the server follows."""

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.compressed import CompressedAlgorithm
from liecbench.algorithms.server import Route
from liecbench.compressors.identity import Identity


@dataclass(kw_only=True, eq=False, config=CONFIG)
class EF21(CompressedAlgorithm):
    """Error feedback by differences (Richtárik et al. 2021, arXiv 2106.05203): u = mean(h_i), h_i ← h_i + C(g_i − h_i).

    Every worker keeps the mean of the estimates and adds what the server sends, which is dense.
    """

    def allocate(self) -> dict[str, list[Tensor]]:
        """This worker's estimate h_i and the workers' mean of them."""
        return {"estimate": self.worker_memory(), "mean_estimate": self.worker_memory()}

    def vector(self, block: Block) -> Tensor:
        """g − h, in scratch."""
        return torch.sub(block.gradient, self._memories["estimate"][block.index], out=self.scratch(block.numel))

    def reduce(self, block: Block) -> Tensor:
        """c_i = C(g_i − h_i); h_i ← h_i + c_i; u = mean(h_i) = what it was + mean(c_i), sent back dense."""
        difference = self.vector(block)
        mean = self.exchange.push(self.compressor, difference, residual=difference)
        estimate = torch.sub(block.gradient, difference, out=difference)
        update = self.exchange.pull(Identity(), mean, out=block.gradient)
        self._memories["estimate"][block.index].copy_(estimate)
        return update.copy_(self._memories["mean_estimate"][block.index].add_(update))

    def routes(self, step: int, world_size: int) -> list[Route]:
        """Compressed up, dense down."""
        return [Route(self.compressor, Identity())]
