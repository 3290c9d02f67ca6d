"""LIEC-SGD: compressed both ways; workers add their own compression error at once, only the server remembers."""

from typing import Annotated

from annotated_types import Ge
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.algorithms.averaging import PeriodicAveraging
from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.compressed import ErrorFeedback
from liecbench.algorithms.server import Route
from liecbench.compressors.base import Compressor
from liecbench.compressors.identity import Identity


@dataclass(kw_only=True, eq=False, config=CONFIG)
class LIEC(ErrorFeedback, PeriodicAveraging):
    """Local immediate error compensation (arXiv 2402.11857, algorithm 1): u_i = C(mean(C(g_i)) + e) + g_i − C(g_i).

    Every ``average_period`` steps gradients and models are averaged in full precision and the server's error is spent.
    """

    average_period: Annotated[int, Ge(1)] = 32

    def allocate(self) -> dict[str, list[Tensor]]:
        """The server's error e; workers keep nothing between steps."""
        return {"server_error": self.server_memory()}

    def reduce(self, block: Block) -> Tensor:
        """c = C(g); r = g − c; v = mean(c_i) + e; q = C(v); e ← v − q; u_i = q + r_i. When averaging, C = identity."""
        exchange, gradient = self.exchange, block.gradient
        memory = self._memories["server_error"][block.index]
        if self.averages(self.step):
            mean = exchange.push(Identity(), gradient, out=gradient)
            return exchange.pull(Identity(), mean, out=gradient, error=memory)
        mean = exchange.push(self.compressor, gradient, residual=gradient)
        return exchange.pull(self.compressor, mean, add_to=gradient, error=memory)

    def routes(self, step: int, world_size: int) -> list[Route]:
        """Compressed both ways; when averaging, gradients and models dense both ways."""
        averages = self.averages(step)
        compressor: Compressor = Identity() if averages else self.compressor
        return [Route(compressor, compressor)] * (2 if averages else 1)

    def after_step(self) -> None:
        """Average the models if a period has passed."""
        if self.averaging_is_due():
            self.average_models()
