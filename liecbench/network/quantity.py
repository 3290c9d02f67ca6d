"""Rates, delays and losses as people write them: ``20mbit``, ``5ms``, ``0.1%``."""

import re
from dataclasses import dataclass
from typing import Final

_LOWEST_RATE, _HIGHEST_RATE = 10**6, 32 * 10**9
_LONGEST_SECONDS: Final = 10.0
_HIGHEST_LOSS: Final = 0.5
RATE_REMEDY: Final = (
    "write a rate from 1mbit to 32gbit, such as 20mbit, {up: 10mbit, down: 100mbit}, "
    "{rate: 50mbit, delay: 20ms, jitter: 2ms, loss: 0.1%}, a preset, none or host"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number with a unit, in upper or lower case.

    Attributes:
        units: The number of base units in each unit; units in lower case, the smallest first.
    """

    units: dict[str, float]

    @property
    def pattern(self) -> str:
        """A regular expression that matches the texts that ``parse`` accepts; also used in the JSON Schema."""
        units = ("".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in unit) for unit in self.units)
        return rf"^\s*([0-9]+(?:\.[0-9]+)?)\s*({'|'.join(units)})\s*$"

    def parse(self, text: object) -> float | None:
        """Return the number of base units, or None if the text is not such a quantity."""
        match = re.search(self.pattern, text) if isinstance(text, str) else None
        return None if match is None else float(match[1]) * self.units[match[2].lower()]

    def format(self, value: float) -> str:
        """Return ``value`` in the largest unit that it reaches, to nine decimals: the inverse of ``parse``."""
        unit = next((unit for unit in reversed(self.units) if value >= self.units[unit]), next(iter(self.units)))
        return f"{value / self.units[unit]:.9f}".rstrip("0").rstrip(".") + unit


RATE: Final = Quantity(units={"kbit": 1e3, "mbit": 1e6, "gbit": 1e9})
DELAY: Final = Quantity(units={"us": 1e-6, "ms": 1e-3, "s": 1.0})
LOSS: Final = Quantity(units={"%": 1.0})


def parse_rate(text: object) -> int:
    """Return the bits per second of a rate such as ``20mbit``. Raises ValueError if it is no rate or out of range."""
    rate = RATE.parse(text)
    if rate is None:
        raise ValueError(f"{text!r} is not a rate; {RATE_REMEDY}")
    if not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
        raise ValueError(f"{text!r} is outside the rates that links can be shaped to; {RATE_REMEDY}")
    return round(rate)


def format_rate(rate: int) -> str:
    """Return the shortest exact text of a rate: the inverse of ``parse_rate``."""
    return RATE.format(rate)


def parse_delay(text: object) -> float:
    """Return the seconds of a delay such as ``20ms``. Raises ValueError if it is no delay or too long."""
    seconds = DELAY.parse(text)
    if seconds is None or seconds > _LONGEST_SECONDS:
        raise ValueError(f"{text!r} is not a delay; write one up to {_LONGEST_SECONDS:.0f}s, such as 20ms or 500us")
    return round(seconds, 6)


def parse_loss(text: object) -> float:
    """Return the fraction of frames that a loss such as ``0.1%`` drops. Raises ValueError if it is no loss."""
    percent = LOSS.parse(text)
    if percent is None or percent > 100 * _HIGHEST_LOSS:
        raise ValueError(f"{text!r} is not a loss; write percent of the frames up to 50%, such as 0.1%")
    return round(percent / 100, 8)


def format_loss(loss: float) -> str:
    """Return the shortest text of a loss given as a fraction of frames: the inverse of ``parse_loss``."""
    return f"{100 * loss:.6f}".rstrip("0").rstrip(".") + "%"
