"""The base class of methods whose workers average their models or their errors every ``average_period`` steps."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from annotated_types import Ge
from pydantic.dataclasses import dataclass

from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.server import ServerAlgorithm


@dataclass(kw_only=True, eq=False, config=CONFIG)
class PeriodicAveraging(ServerAlgorithm):
    """A base class of methods in which the workers' models drift apart, and are brought together periodically.

    Every ``average_period`` steps, the workers average their models. In the subclass ``CSER``, they average
    their compressed error memories instead.
    """

    average_period: Annotated[int, Ge(1)]
    local_models: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._periods_seen = 0

    def averages(self, step: int) -> bool:
        """Return whether step number ``step`` is an averaging step."""
        return (step + 1) % self.average_period == 0

    def averaging_is_due(self) -> bool:
        """Return True if, since the last call, the step count has reached a multiple of ``average_period``.

        Call this function once in every ``after_step``. Every backward pass that synchronizes gradients
        counts as a step.
        """
        # Several such passes may precede one optimizer.step, so an averaging step need not be the last one.
        before, self._periods_seen = self._periods_seen, self.step // self.average_period
        return self._periods_seen > before

    def step_kind(self, step: int) -> str:
        """Return ``averaging`` if step number ``step`` averages the models in full precision, else ``compressed``."""
        return "averaging" if self.averages(step) else "compressed"

    def own_state(self) -> dict[str, Any]:
        """Return a dict with the step count, the memories (tensors kept from step to step), and ``periods_seen``.

        ``periods_seen`` is the number of averaging steps up to the last call of ``averaging_is_due``.
        """
        # The step count alone is not enough: between the backward pass of an averaging step and the end of
        # optimizer.step, it includes that step, but the number of averaging steps does not.
        return {**super().own_state(), "periods_seen": self._periods_seen}

    def load_own_state(self, state: Mapping[str, Any]) -> None:
        """Restore the step count, the memories (tensors kept from step to step) and ``periods_seen`` from ``state``.

        ``state`` is a result of ``own_state``.

        Raises:
            ValueError: If the saved memories differ from this algorithm's in their names or shapes.
        """
        super().load_own_state(state)
        self._periods_seen = state.get("periods_seen", self._periods_seen)

    def set_step(self, step: int) -> None:
        """Set the number of the next step, which decides when models are averaged. The error memories stay unchanged.

        Call it on every rank, between two steps.
        """
        super().set_step(step)
        self._periods_seen = step // self.average_period
