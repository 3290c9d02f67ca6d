"""The differences of accuracy and loss that count as equal."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerances:
    """An accuracy lower by this fraction, or a test loss higher by these nats, counts as the baseline's."""

    accuracy: float = 0.005
    loss: float = 0.02


DEFAULT_TOLERANCES: Final = Tolerances()
