"""P-SGD: the workers' mean gradient in full precision, through the server."""

from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.server import Route, ServerAlgorithm
from liecbench.compressors.identity import Identity


@dataclass(kw_only=True, eq=False, config=CONFIG)
class PSGD(ServerAlgorithm):
    """Parallel SGD through a server, nothing compressed: u = mean(g_i)."""

    def reduce(self, block: Block) -> Tensor:
        """u = mean(g_i)."""
        return self.exchange.mean(block.gradient)

    def routes(self, step: int, world_size: int) -> list[Route]:
        """Dense both ways."""
        return [Route(Identity(), Identity())]
