"""Tolerances: the largest differences of accuracy and loss from the baseline that count as equal."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerances:
    """The largest drop of accuracy and rise of loss that still count as equal to the baseline.

    Attributes:
        accuracy: The tolerated drop of the accuracy, which lies between 0 and 1: 0.005 tolerates 90.0 % against 90.5 %.
        loss: The tolerated rise of the test loss, in nats.
    """

    accuracy: float = 0.005
    loss: float = 0.02


DEFAULT_TOLERANCES: Final = Tolerances()
