"""A worker's link: a rate in each direction. Parsing and text only; ``network`` makes it real."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

_UNITS = {"kbit": 10**3, "mbit": 10**6, "gbit": 10**9}
_RATE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[kmg]bit)", re.IGNORECASE)
_LOWEST, _HIGHEST = 10**6, 32 * 10**9
_REMEDY = "write a rate from 1mbit to 32gbit, such as 20mbit, {up: 10mbit, down: 100mbit}, or none"


def parse_rate(text: object) -> int:
    """Bits per second of a rate such as ``20mbit``; ValueError says what is wrong."""
    match = _RATE.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{text!r} is not a rate; {_REMEDY}")
    rate = float(match["number"]) * _UNITS[match["unit"].lower()]
    if not _LOWEST <= rate <= _HIGHEST:
        raise ValueError(f"{text!r} is outside what a shaper here can hold; {_REMEDY}")
    return round(rate)


def format_rate(rate: int) -> str:
    """The shortest exact text of a rate: the inverse of ``parse_rate``."""
    for unit, factor in reversed(_UNITS.items()):
        if rate >= factor:
            return f"{rate / factor:.9f}".rstrip("0").rstrip(".") + unit
    return f"{rate / 1000}kbit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Rates in bits per second of Ethernet frames with their headers; both None where nothing is shaped."""

    up_bits_per_second: int | None
    down_bits_per_second: int | None

    @property
    def shaped(self) -> bool:
        """Whether the kernel holds this link to a rate."""
        return self.up_bits_per_second is not None

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read ``20mbit``, ``{up: 10mbit, down: 100mbit}`` or ``none``; ValueError says what is wrong."""
        if isinstance(value, str) and value.strip().lower() == "none":
            return cls(up_bits_per_second=None, down_bits_per_second=None)
        if isinstance(value, Mapping):
            if set(value) != {"up", "down"}:
                raise ValueError(f"{dict(value)!r} needs the keys up and down, and no others; {_REMEDY}")
            up, down = parse_rate(value["up"]), parse_rate(value["down"])
            return cls(up_bits_per_second=up, down_bits_per_second=down)
        rate = parse_rate(value)
        return cls(up_bits_per_second=rate, down_bits_per_second=rate)

    def spec(self) -> str | dict[str, str]:
        """The link as a scenario writes it: the inverse of ``parse``."""
        if self.up_bits_per_second is None or self.down_bits_per_second is None:
            return "none"
        up, down = format_rate(self.up_bits_per_second), format_rate(self.down_bits_per_second)
        return up if up == down else {"up": up, "down": down}

    def __str__(self) -> str:
        spec = self.spec()
        return spec if isinstance(spec, str) else f"{spec['up']}↑ {spec['down']}↓"
