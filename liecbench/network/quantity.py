"""Parse and print rates, delays and losses as people write them: ``20mbit``, ``5ms``, ``0.1%``."""

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
    """A kind of number with a unit, such as a rate. Texts may write the unit in upper or lower case.

    Attributes:
        units: The number of base units in each unit. Units are in lower case, the smallest first.
    """

    units: dict[str, float]

    @property
    def pattern(self) -> str:
        """A regular expression that matches the texts that ``parse`` accepts. The JSON Schema uses it too."""
        units = ("".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in unit) for unit in self.units)
        return rf"^\s*([0-9]+(?:\.[0-9]+)?)\s*({'|'.join(units)})\s*$"

    def parse(self, text: object) -> float | None:
        """Return the number of base units that ``text`` states, or None if ``text`` is not such a quantity."""
        match = re.search(self.pattern, text) if isinstance(text, str) else None
        return None if match is None else float(match[1]) * self.units[match[2].lower()]

    def format(self, value: float) -> str:
        """Return ``value``, in base units, as text in the largest unit that it reaches: the inverse of ``parse``.

        The text has up to nine decimals.
        """
        unit = next((unit for unit in reversed(self.units) if value >= self.units[unit]), next(iter(self.units)))
        return f"{value / self.units[unit]:.9f}".rstrip("0").rstrip(".") + unit


RATE: Final = Quantity(units={"kbit": 1e3, "mbit": 1e6, "gbit": 1e9})
DELAY: Final = Quantity(units={"us": 1e-6, "ms": 1e-3, "s": 1.0})
LOSS: Final = Quantity(units={"%": 1.0})


def parse_rate(text: object) -> int:
    """Return the bits per second of a rate such as ``20mbit``.

    Raises ValueError if ``text`` is no rate, or if the rate is not between 1mbit and 32gbit.
    """
    rate = RATE.parse(text)
    if rate is None:
        raise ValueError(f"{text!r} is not a rate; {RATE_REMEDY}")
    if not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
        raise ValueError(f"{text!r} is outside the rates that links can be shaped to; {RATE_REMEDY}")
    return round(rate)


def format_rate(rate: int) -> str:
    """Return the shortest exact text of a rate in bits per second. This is the inverse of ``parse_rate``."""
    return RATE.format(rate)


def parse_delay(text: object) -> float:
    """Return the seconds of a delay such as ``20ms``. Raises ValueError if ``text`` is no delay or exceeds 10 s."""
    seconds = DELAY.parse(text)
    if seconds is None or seconds > _LONGEST_SECONDS:
        raise ValueError(f"{text!r} is not a delay; write one up to {_LONGEST_SECONDS:.0f}s, such as 20ms or 500us")
    return round(seconds, 6)


def parse_loss(text: object) -> float:
    """Return the fraction of frames that a loss such as ``0.1%`` drops.

    Raises ValueError if ``text`` is no loss, or if the loss exceeds 50 %.
    """
    percent = LOSS.parse(text)
    if percent is None or percent > 100 * _HIGHEST_LOSS:
        raise ValueError(f"{text!r} is not a loss; write percent of the frames up to 50%, such as 0.1%")
    return round(percent / 100, 8)


def format_loss(loss: float) -> str:
    """Return the shortest text of a loss, given as a fraction of frames. This is the inverse of ``parse_loss``."""
    return f"{100 * loss:.6f}".rstrip("0").rstrip(".") + "%"
