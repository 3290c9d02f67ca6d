"""signSGD with majority vote: one bit up, the majority's sign down, no scale and no memory."""

from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.server import Route, ServerAlgorithm
from liecbench.compressors.majority_vote import Majority, Votes


@dataclass(kw_only=True, eq=False, config=CONFIG)
class SignSGD(ServerAlgorithm):
    """u = sign(Σ sign(g_i)), a tie gives 0 (Bernstein et al. 2018, arXiv 1802.04434); sign(±0) = +1.

    The update is ±1 (or 0) for every parameter, whatever the gradient's size: it takes a small learning rate.
    """

    def reduce(self, block: Block) -> Tensor:
        """u = sign(mean(sign(g_i)))."""
        (route,) = self.routes(self.step, self.exchange.world_size)
        mean = self.exchange.push(route.up, block.gradient, out=block.gradient)
        return self.exchange.pull(route.down, mean, out=block.gradient)

    def routes(self, step: int, world_size: int) -> list[Route]:
        """A bit up; a bit down, too, where an odd number of voters leaves no tie."""
        return [Route(Votes(), Votes() if world_size % 2 else Majority())]

    def compression_error(self) -> float | None:
        """None: a sign without a scale stands for no vector."""
        return None
