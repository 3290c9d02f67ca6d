"""Local SGD: workers train alone, and average their models every ``average_period`` steps."""

from typing import Annotated, ClassVar

from annotated_types import Ge
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.algorithms.averaging import PeriodicAveraging
from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.method_notes import MethodNotes


@dataclass(kw_only=True, eq=False, config=CONFIG)
class LocalSGD(PeriodicAveraging):
    """``average_period`` local steps, then the models' mean in full precision (Stich 2019, arXiv 1805.09767).

    If a gradient is not finite, all ranks raise NonFiniteError when they next average the models.
    """

    notes: ClassVar[MethodNotes | None] = MethodNotes(
        sends="every `average_period` steps the model, dense, both ways; nothing in other steps",
        remembers="nothing; models differ between the averages",
        source="Local SGD (Stich 2019, arXiv 1805.09767)",
        differs="momentum buffers stay local",
    )
    is_elementwise: ClassVar[bool] = True

    average_period: Annotated[int, Ge(1)] = 8

    def step_kind(self, step: int) -> str:
        """Return ``averaging`` if step number ``step`` averages the models, else ``local``."""
        return "averaging" if self.averages(step) else "local"

    def reduce(self, block: Block) -> Tensor:
        """Return u_i = g_i: the update is this worker's own gradient, and nothing is sent."""
        return block.gradient

    def after_step(self) -> None:
        """Average the models if, since the last call, the step count has reached a multiple of ``average_period``."""
        if self.averaging_is_due():
            self.average_models()
