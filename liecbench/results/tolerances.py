"""Tolerances: the largest differences of accuracy and loss from the baseline that count as equal."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerances:
    """The largest tolerated drop of the accuracy, as a fraction, and rise of the test loss, in nats."""

    accuracy: float = 0.005
    loss: float = 0.02


DEFAULT_TOLERANCES: Final = Tolerances()
