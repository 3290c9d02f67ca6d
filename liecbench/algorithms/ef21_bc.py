"""EF21-BC: EF21 in both directions. Workers and server send compressed differences from their running estimates."""

from typing import ClassVar

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.compressed import CompressedAlgorithm
from liecbench.algorithms.memory import ServerMemory, WorkerMemory
from liecbench.algorithms.method_notes import MethodNotes


@dataclass(kw_only=True, eq=False, config=CONFIG)
class EF21BC(CompressedAlgorithm):
    """EF21 with bidirectional compression (Fatkhullin et al. 2021, arXiv 2110.03294).

    C is the compressor, g_i worker i's gradient, h_i the worker's estimate of g_i, h an estimate of mean(g_i) that all
    workers share, and u the update. In a step, c_i = C(g_i − h_i); h_i ← h_i + c_i; h ← h + C(mean(h_i) − h); u = h.
    The server keeps only e = mean(h_i) − h: it adds mean(c_i) to e, sends C(e), and subtracts C(e) from e.
    """

    notes: ClassVar[MethodNotes | None] = MethodNotes(
        sends="C(g_i − h_i) to the server; C(mean(h_i) − h) back",
        remembers="every worker its estimate h_i and the shared estimate h; every server mean(h_i) − h",
        source="EF21-BC (Fatkhullin et al. 2021, arXiv 2110.03294)",
        differs="in nothing; the first estimates are 0",
    )
    is_elementwise: ClassVar[bool] = True

    estimate = WorkerMemory()
    shared_estimate = WorkerMemory()
    server_error = ServerMemory()

    def compressor_input(self, block: Block) -> Tensor:
        """Return g_i − h_i, the vector that this worker compresses, in scratch memory.

        g_i is the worker's gradient, and h_i the worker's estimate of g_i.
        """
        return torch.sub(block.gradient, self.estimate[block], out=self.scratch(block.numel))

    def reduce(self, block: Block) -> Tensor:
        """Update this worker's estimate and the shared estimate; return the shared estimate, which is the update.

        C is the compressor, g_i this worker's gradient, h_i this worker's estimate of g_i, and h the estimate of
        mean(g_i) that all workers share. The worker pushes c_i = C(g_i − h_i), and adds c_i to h_i. Then it pulls
        b = C(mean(h_i) − h), and adds b to h.
        """
        d = self.compressor_input(block)
        mean = self.exchange.push(self.compressor, d, residual=d)
        estimate = torch.sub(block.gradient, d, out=d)
        update = self.exchange.pull(self.compressor, mean, error=self.server_error[block], out=block.gradient)
        self.estimate[block].copy_(estimate)
        return update.copy_(self.shared_estimate[block].add_(update))
