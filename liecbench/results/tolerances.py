"""The differences of accuracy and loss that count as equal."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerances:
    """What counts as the baseline's result: an accuracy lower by a fraction, a test loss higher by nats per label."""

    accuracy: float = 0.005
    loss: float = 0.02


DEFAULT_TOLERANCES: Final = Tolerances()
