"""CSER: workers apply their compression error at once, remember it, and every period agree on it again."""

from typing import Annotated

from annotated_types import Ge
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.algorithms.averaging import PeriodicAveraging
from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.compressed import ErrorFeedback
from liecbench.algorithms.server import Route
from liecbench.compressors.identity import Identity


@dataclass(kw_only=True, eq=False, config=CONFIG)
class CSER(ErrorFeedback, PeriodicAveraging):
    """Error reset (Xie et al. 2020, arXiv 2007.13221): u_i = mean(C(g_i)) + g_i − C(g_i), sent back dense.

    The error memory e_i sums what the workers' models differ by; every ``average_period`` steps C(e_i) is averaged and
    the models move together by as much.
    """

    average_period: Annotated[int, Ge(1)] = 8

    def allocate(self) -> dict[str, list[Tensor]]:
        """The worker's error e_i."""
        return {"error": self.worker_memory()}

    def reduce(self, block: Block) -> Tensor:
        """c = C(g); r = g − c; e_i ← e_i − r; u_i = mean(c_i) + r."""
        residual, error = self.scratch(block.numel), self._memories["error"][block.index]
        mean = self.exchange.push(self.compressor, block.gradient, residual=residual, out=block.gradient)
        update = self.exchange.pull(Identity(), mean, out=block.gradient).add_(residual)
        error.sub_(residual)
        return self._reset(update, error) if self.averages(self.step) else update

    def routes(self, step: int, world_size: int) -> list[Route]:
        """Compressed up, dense down; twice in a step that resets the error."""
        return [Route(self.compressor, Identity())] * (2 if self.averages(step) else 1)

    def step_kind(self, step: int) -> str:
        """Steps that reset the error carry twice the bytes."""
        return "reset" if self.averages(step) else "compressed"

    def _reset(self, update: Tensor, error: Tensor) -> Tensor:
        """k = C(e_i); s = e_i − k; u_i ← u_i + e_i − (mean(k_i) + s); e_i ← s."""
        left = self.scratch(error.numel()).copy_(error)
        mean = self.exchange.push(self.compressor, left, residual=left)
        update.add_(error).sub_(left)
        self.exchange.pull(Identity(), mean, add_to=update, weight=-1.0)
        error.copy_(left)
        return update
