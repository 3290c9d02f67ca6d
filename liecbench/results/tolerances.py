"""Tolerances: the largest differences of accuracy and loss from the baseline that count as equal."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerances:
    """The largest drop of accuracy, as a fraction, and the largest rise of test loss, in nats, that count as equal."""

    accuracy: float = 0.005
    loss: float = 0.02


DEFAULT_TOLERANCES: Final = Tolerances()
