"""Local SGD: workers train alone and average their models every so often."""

from typing import Annotated

from annotated_types import Ge
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.algorithms.averaging import PeriodicAveraging
from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.server import Route
from liecbench.compressors.identity import Identity


@dataclass(kw_only=True, eq=False, config=CONFIG)
class LocalSGD(PeriodicAveraging):
    """``average_period`` local steps, then the models' mean in full precision (Stich 2019, arXiv 1805.09767).

    A gradient that is not finite is noticed where the models are averaged next, by all ranks at once.
    """

    average_period: Annotated[int, Ge(1)] = 8

    def reduce(self, block: Block) -> Tensor:
        """u_i = g_i."""
        return block.gradient

    def routes(self, step: int, world_size: int) -> list[Route]:
        """Nothing; when averaging, the models, dense both ways."""
        return [Route(Identity(), Identity())] if self.averages(step) else []

    def step_kind(self, step: int) -> str:
        """Only averaging steps carry anything."""
        return "averaging" if self.averages(step) else "local"

    def after_step(self) -> None:
        """Average the models if a period has passed."""
        if self.averaging_is_due():
            self.average_models()
