"""What methods have in common whose workers' models part and are averaged every so often."""

from typing import Annotated, ClassVar

from annotated_types import Ge
from pydantic.dataclasses import dataclass

from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.server import ServerAlgorithm


@dataclass(kw_only=True, eq=False, config=CONFIG)
class PeriodicAveraging(ServerAlgorithm):
    """A method that does something else in every ``average_period``-th step; ``local_models``: the models differ."""

    average_period: Annotated[int, Ge(1)]
    local_models: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._periods_seen = 0

    def step_kind(self, step: int) -> str:
        """Averaging steps carry most of the bytes."""
        return "averaging" if self.averages(step) else "compressed"

    def averages(self, step: int) -> bool:
        """Whether step number ``step`` averages."""
        return (step + 1) % self.average_period == 0

    def set_step(self, step: int) -> None:
        """Go on as step number ``step``, between two steps and on every rank; the memories stay as they are."""
        super().set_step(step)
        self._periods_seen = step // self.average_period

    def averaging_is_due(self) -> bool:
        """Whether an averaging step has come since the last time; several backwards may make one optimizer step."""
        before, self._periods_seen = self._periods_seen, self.step // self.average_period
        return self._periods_seen > before
