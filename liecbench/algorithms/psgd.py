"""P-SGD: the workers average their gradients in full precision, through a server."""

from typing import ClassVar

from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.method_notes import MethodNotes
from liecbench.algorithms.server import ServerAlgorithm
from liecbench.compressors.base import Compressor
from liecbench.compressors.identity import Identity


@dataclass(kw_only=True, eq=False, config=CONFIG)
class PSGD(ServerAlgorithm):
    """Parallel SGD through a server, nothing compressed: u = mean(g_i)."""

    notes: ClassVar[MethodNotes | None] = MethodNotes(
        sends="the gradient, dense, to the server, and the mean back",
        remembers="nothing",
        source="the baseline of LIEC-SGD (arXiv 2402.11857)",
        differs="in nothing",
    )

    is_exact: ClassVar[bool] = True

    def push_compressor(self, step: int) -> Compressor:
        """Return the identity, because the method does not compress."""
        return Identity()

    def reduce(self, block: Block) -> Tensor:
        """Return u = mean(g_i), the mean of the workers' gradients."""
        return self.exchange.mean(block.gradient)
