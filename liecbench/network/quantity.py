"""Rates, delays, losses and sizes as people write them: ``100mbit``, ``12.5 MB/s``, ``20ms``, ``0.1%``, ``25MiB``."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

LOWEST_RATE, HIGHEST_RATE = 10**6, 32 * 10**9
LONGEST_DELAY_SECONDS: Final = 10.0
HIGHEST_LOSS: Final = 0.5
_NUMBER: Final = r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+"


def _any_case(word: str) -> str:
    """Return a regular expression that matches ``word`` (lower case) in any case, such as ``[mM][sS]`` for ``ms``."""
    # JSON Schema has no flag that ignores case.
    return "".join(f"[{c}{c.upper()}]" if c.isascii() and c.isalpha() else c for c in word)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A kind of number with a unit, such as a rate. The base unit of a rate is one bit per second.

    Attributes:
        shown: The units that ``format`` writes, each with its size in base units, smallest first. For rates, these are
            ``{"kbit": 1e3, "mbit": 1e6, "gbit": 1e9}``.
        prefixes: The prefixes that ``parse`` reads in front of a unit, each with its factor. The keys are regular
            expressions, such as ``[kK]`` with the factor 1000.
        units: The units that ``parse`` reads, without prefixes, each with its size in base units. The keys are regular
            expressions, such as ``%|percent`` with the size 1.
    """

    shown: Mapping[str, float]
    prefixes: Mapping[str, float]
    units: Mapping[str, float]

    @property
    def pattern(self) -> str:
        """A regular expression that matches the texts that ``parse`` accepts. The JSON Schema uses it too."""
        return rf"^\s*({_NUMBER})\s*({'|'.join(self.prefixes)})({'|'.join(self.units)})\s*$"

    def parse(self, text: object) -> float | None:
        """Return the number of base units that ``text`` states, such as 1e8 for the rate ``100mbit``.

        Return None if ``text`` is not a quantity of this kind.
        """
        match = re.search(self.pattern, text) if isinstance(text, str) else None
        if match is None:
            return None
        return float(match[1]) * _factor(self.prefixes, match[2]) * _factor(self.units, match[3])

    def format(self, value: float) -> str:
        """Return ``value``, a number of base units, as text in the largest unit that is at most ``value``.

        If all units are larger than ``value``, the text is in the smallest unit. The text has up to nine decimals.
        ``format`` is the inverse of ``parse``.
        """
        unit = next((unit for unit in reversed(tuple(self.shown)) if value >= self.shown[unit]), next(iter(self.shown)))
        return f"{value / self.shown[unit]:.9f}".rstrip("0").rstrip(".") + unit


def _factor(table: Mapping[str, float], text: str) -> float:
    return next(factor for pattern, factor in table.items() if re.fullmatch(pattern, text))


_POWERS: Final = {"k": 1, "m": 2, "g": 3, "t": 4}
_PREFIXES: Final = {
    **{f"{_any_case(letter)}i": float(1024**power) for letter, power in _POWERS.items()},
    **{_any_case(letter): float(1000**power) for letter, power in _POWERS.items()},
    "": 1.0,
}
_PER_SECOND: Final = r"\s?/\s?s(?:ec)?|\s?/\s?second"
RATE: Final = Quantity(
    shown={"kbit": 1e3, "mbit": 1e6, "gbit": 1e9},
    prefixes=_PREFIXES,
    # In ``b/s`` and ``bps`` only the case of the b tells bits from bytes, so that these units have lower-case letters
    # otherwise: MBPS may be either.
    units={
        rf"{_any_case('bit')}[sS]?(?:{_PER_SECOND}|/S)?": 1.0,
        rf"b(?:ps|{_PER_SECOND})": 1.0,
        rf"B(?:ps|{_PER_SECOND})": 8.0,
        rf"{_any_case('byte')}[sS]?(?:{_PER_SECOND}|/S)": 8.0,
    },
)
DELAY: Final = Quantity(
    shown={"us": 1e-6, "ms": 1e-3, "s": 1.0},
    prefixes={"": 1.0},
    units={
        rf"(?:{_any_case('u')}|µ|μ){_any_case('s')}(?:{_any_case('ec')}[sS]?)?|microseconds?": 1e-6,
        rf"{_any_case('ms')}(?:{_any_case('ec')}[sS]?)?|milliseconds?": 1e-3,
        rf"{_any_case('s')}(?:{_any_case('ec')}[sS]?)?|seconds?": 1.0,
        "min|minutes?": 60.0,
        "h|hours?": 3600.0,
    },
)
LOSS: Final = Quantity(shown={"%": 1.0}, prefixes={"": 1.0}, units={"%|percent": 1.0})
SIZE: Final = Quantity(
    shown={"B": 1.0, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30},
    prefixes=_PREFIXES,
    units={"B|bytes?|Bytes?": 1.0},
)


def format_rate(rate: int) -> str:
    """Return the shortest exact text of a rate in bits per second. This is the inverse of ``parse_rate``."""
    return RATE.format(rate)


def format_loss(loss: float) -> str:
    """Return the share of lost frames, given as a fraction, as text: ``0.5%`` for 0.005.

    This is the inverse of ``parse_loss``.
    """
    return f"{100 * loss:.6f}".rstrip("0").rstrip(".") + "%"
