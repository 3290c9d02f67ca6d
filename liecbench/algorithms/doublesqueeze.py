"""DoubleSqueeze: compression both ways, with an error memory on every worker and on the server."""

from typing import ClassVar

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.compressed import ErrorFeedback
from liecbench.algorithms.memory import ServerMemory, WorkerMemory
from liecbench.algorithms.method_notes import MethodNotes


@dataclass(kw_only=True, eq=False, config=CONFIG)
class DoubleSqueeze(ErrorFeedback):
    """Error feedback on both sides (Tang et al. 2019, arXiv 1905.05957): u = C(mean(C(g_i + e_i)) + e).

    C is the compressor, g_i worker i's gradient, e_i worker i's error memory, e the server's error memory, and u the
    update.
    """

    notes: ClassVar[MethodNotes | None] = MethodNotes(
        sends="C(g_i + e_i) to the server; its compressed mean back",
        remembers="every worker its error e_i, every server its error e",
        source="DoubleSqueeze (Tang et al. 2019, arXiv 1905.05957)",
        differs=(
            "the memory is in units of the gradient, as in the code of LIEC-SGD's authors, and not of the "
            "learning rate times the gradient; `rescale_memory: true` changes that"
        ),
    )
    is_elementwise: ClassVar[bool] = True

    error = WorkerMemory()
    server_error = ServerMemory()

    def compressor_input(self, block: Block) -> Tensor:
        """Return p_i = g_i + e_i, the sum of this worker's gradient and error memory, in scratch memory."""
        return torch.add(block.gradient, self.error[block], out=self.scratch(block.numel))

    def reduce(self, block: Block) -> Tensor:
        """Return the update q: the mean of the workers' messages, which the server compresses again.

        g_i and e_i are worker i's gradient and error memory, p_i = g_i + e_i, e the server's error memory, and C the
        compressor. Compute c_i = C(p_i); e_i ← p_i − c_i; v = mean(c_i) + e; q = C(v); e ← v − q.
        """
        compressor, p = self.push_compressor(self.step), self.compressor_input(block)
        mean = self.exchange.push(compressor, p, residual=p)
        update = self.exchange.pull(compressor, mean, error=self.server_error[block], out=block.gradient)
        self.error[block].copy_(p)
        return update
