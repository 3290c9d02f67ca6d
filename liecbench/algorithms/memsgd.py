"""MEM-SGD: workers with error memories send compressed gradients; the server answers uncompressed."""

from typing import ClassVar

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.compressed import ErrorFeedback
from liecbench.algorithms.memory import WorkerMemory
from liecbench.algorithms.method_notes import MethodNotes
from liecbench.compressors.identity import Identity


@dataclass(kw_only=True, eq=False, config=CONFIG)
class MemSGD(ErrorFeedback):
    """Worker error feedback, one-way compression (Stich et al. 2018, arXiv 1809.07599): u = mean(C(g_i + e_i)).

    g_i is worker i's gradient, e_i its error memory, which keeps what the compressor C loses, and u the update.
    """

    notes: ClassVar[MethodNotes | None] = MethodNotes(
        sends="C(g_i + e_i) to the server; the mean back, dense",
        remembers="every worker its error e_i",
        source="MEM-SGD (Stich et al. 2018, arXiv 1809.07599)",
        differs=(
            "the memory is in units of the gradient, as in the code of LIEC-SGD's authors, and not of the "
            "learning rate times the gradient; `rescale_memory: true` changes that"
        ),
    )
    is_elementwise: ClassVar[bool] = True

    error = WorkerMemory()

    def compressor_input(self, block: Block) -> Tensor:
        """Return p_i = g_i + e_i, the sum of this worker's gradient and error memory, in scratch memory."""
        return torch.add(block.gradient, self.error[block], out=self.scratch(block.numel))

    def reduce(self, block: Block) -> Tensor:
        """Return the update u, which is the mean over all workers i of c_i = C(p_i).

        C is the compressor, and p_i = g_i + e_i is worker i's gradient plus its error memory. After sending c_i, worker
        i sets e_i ← p_i − c_i. The server sends u uncompressed.
        """
        p = self.compressor_input(block)
        mean = self.exchange.push(self.compressor, p, residual=p, out=block.gradient)
        update = self.exchange.pull(Identity(), mean, out=block.gradient)
        self.error[block].copy_(p)
        return update
