"""EF21: each worker sends the compressed difference between its gradient and its running estimate of the gradient."""

from typing import ClassVar

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.compressed import CompressedAlgorithm
from liecbench.algorithms.memory import WorkerMemory
from liecbench.algorithms.method_notes import MethodNotes
from liecbench.compressors.identity import Identity


@dataclass(kw_only=True, eq=False, config=CONFIG)
class EF21(CompressedAlgorithm):
    """Error feedback by differences (Richtárik et al. 2021, arXiv 2106.05203): h_i ← h_i + C(g_i − h_i), u = mean(h_i).

    C is the compressor, g_i worker i's gradient, and h_i worker i's estimate of g_i. The update u is the mean of all
    workers' estimates, and every worker keeps a copy of this mean. The server sends mean(C(g_i − h_i)) uncompressed,
    and every worker adds the received vector to the copy.
    """

    notes: ClassVar[MethodNotes | None] = MethodNotes(
        sends="C(g_i − h_i) to the server; the mean back, dense",
        remembers="every worker its estimate h_i of its gradient, and the mean of all estimates",
        source="EF21 (Richtárik et al. 2021, arXiv 2106.05203)",
        differs="in nothing; the first estimates are 0",
    )
    is_elementwise: ClassVar[bool] = True

    estimate = WorkerMemory()
    mean_estimate = WorkerMemory()

    def compressor_input(self, block: Block) -> Tensor:
        """Return d = g_i − h_i, this worker's gradient minus this worker's estimate h_i, in scratch memory."""
        return torch.sub(block.gradient, self.estimate[block], out=self.scratch(block.numel))

    def reduce(self, block: Block) -> Tensor:
        """Send the compressed difference between the gradient and its estimate, and return the new mean estimate m.

        C is the compressor, g_i this worker's gradient, and h_i this worker's estimate of g_i. The estimate becomes
        h_i ← h_i + C(g_i − h_i). The mean of all workers' estimates becomes m ← m + mean(C(g_i − h_i)).
        """
        d = self.compressor_input(block)
        mean = self.exchange.push(self.compressor, d, residual=d)
        estimate = torch.sub(block.gradient, d, out=d)
        update = self.exchange.pull(Identity(), mean, out=block.gradient)
        self.estimate[block].copy_(estimate)
        return update.copy_(self.mean_estimate[block].add_(update))
