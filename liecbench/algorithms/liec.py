"""LIEC-SGD: compressed both ways; workers add their own compression error at once, only the server remembers."""

from typing import Annotated, ClassVar

from annotated_types import Ge
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.blocks import Block
from liecbench.algorithms.server import Route, ServerAlgorithm
from liecbench.compressors.base import Compressor
from liecbench.compressors.identity import Identity


@dataclass(kw_only=True, eq=False, config=CONFIG)
class LIEC(ServerAlgorithm):
    """Local immediate error compensation (arXiv 2402.11857, algorithm 1): u_i = C(mean(C(g_i)) + e) + g_i − C(g_i).

    Every ``average_period`` steps gradients and models are averaged in full precision and the server's error is spent.
    """

    compressor: Compressor
    average_period: Annotated[int, Ge(1)] = 32
    local_models: ClassVar[bool] = True

    def allocate(self) -> dict[str, list[Tensor]]:
        """The server's error e; workers keep nothing between steps."""
        return {"server_error": self.server_memory()}

    def reduce(self, block: Block) -> Tensor:
        """c = C(g); r = g − c; v = mean(c_i) + e; q = C(v); e ← v − q; u_i = q + r_i. C = identity when averaging."""
        compressor = self._compressor(self.step)
        residual = block.gradient
        messages = self.exchange.compress(compressor, block.gradient, residual=residual)
        memory = self.memories["server_error"][block.index]
        return self.exchange.through_server(
            messages, compressor, compressor, out=residual, accumulate=True, memory=memory
        )

    def routes(self, step: int) -> list[Route]:
        """Compressed both ways; when averaging, gradients and models dense both ways."""
        compressor = self._compressor(step)
        return [Route(compressor, compressor)] * (2 if self._averages(step) else 1)

    def step_kind(self, step: int) -> str:
        """Averaging steps carry most of the bytes."""
        return "averaging" if self._averages(step) else "compressed"

    def _averages(self, step: int) -> bool:
        return (step + 1) % self.average_period == 0

    def _compressor(self, step: int) -> Compressor:
        return Identity() if self._averages(step) else self.compressor

    def _after_step(self) -> None:
        if self.step > 0 and self._averages(self.step - 1):
            self._average_models()
