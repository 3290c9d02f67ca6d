"""Parse the quantities of a scenario, such as rates and delays, and suggest a correction for a malformed one."""

import math
import re
from typing import Final

from liecbench.network.quantity import (
    DELAY,
    HIGHEST_LOSS,
    HIGHEST_RATE,
    LONGEST_DELAY_SECONDS,
    LOSS,
    LOWEST_RATE,
    RATE,
    SIZE,
    format_loss,
    format_rate,
)

_NUMBER_AND_UNIT: Final = re.compile(r"\+?(\d+(?:[.,]\d+)?|[.,]\d+)(e\+?\d+)?\s*(.*)", re.ASCII | re.IGNORECASE)
_GROUPED: Final = re.compile(r"(?<=\d)[_' ](?=\d{3})|,(?=\d{3}(?:\D|$))", re.ASCII)
# Bare numbers up to this one are taken for megabits per second, larger ones for bits per second.
_MOST_MEGABITS: Final = HIGHEST_RATE // 10**6
# Delays are rounded to microseconds, and losses to millionths of a percent.
_SHORTEST_DELAY_SECONDS: Final = 1e-6
_LOWEST_LOSS_PERCENT: Final = 1e-6


def parse_rate(text: object) -> int:
    """Return the bits per second of a rate such as ``20mbit``.

    Raises ValueError if ``text`` is no rate, or if the rate is not between 1mbit and 32gbit.
    """
    rate = RATE.parse(text)
    if rate is None:
        raise ValueError(f"{text!r} is not a rate; write {nearest_rate(text) or 'one such as 100mbit'}")
    if rate < LOWEST_RATE:
        raise ValueError(f"{text!r} is slower than the slowest link that can be shaped; write at least 1mbit")
    if rate > HIGHEST_RATE:
        raise ValueError(f"{text!r} is faster than the fastest link that can be shaped; write at most 32gbit")
    return round(rate)


def parse_delay(text: object) -> float:
    """Return the seconds of a delay such as ``20ms``.

    A delay is 0, or from 1us to 10s. Raises ValueError for all other texts.
    """
    seconds = DELAY.parse(text)
    if seconds is None:
        raise ValueError(f"{text!r} is not a delay; write {_nearest_delay(text) or 'one such as 20ms'}")
    if seconds > LONGEST_DELAY_SECONDS:
        raise ValueError(f"{text!r} is longer than a link can delay; write at most {LONGEST_DELAY_SECONDS:.0f}s")
    if 0 < seconds < _SHORTEST_DELAY_SECONDS:
        raise ValueError(f"{text!r} is shorter than a link can delay; write at least 1us, or 0ms for no delay")
    return round(seconds, 6)


def parse_loss(text: object) -> float:
    """Return the fraction of frames that a loss such as ``0.1%`` drops.

    A loss is 0, or from 0.000001 % to 50 %. Raises ValueError for all other texts.
    """
    percent = LOSS.parse(text)
    if percent is None:
        raise ValueError(
            f"{text!r} is not a loss; write {_nearest_loss(text) or 'percent of the frames, such as 0.1%'}"
        )
    if percent > 100 * HIGHEST_LOSS:
        raise ValueError(f"{text!r} is more than a link may lose; write at most {100 * HIGHEST_LOSS:.0f}%")
    if 0 < percent < _LOWEST_LOSS_PERCENT:
        raise ValueError(f"{text!r} is less than a link can lose; write at least 0.000001%, or 0% for no loss")
    return round(percent / 100, 8)


def parse_size(text: object) -> int:
    """Return the bytes of a size such as ``25MiB`` or 26214400.

    Raises ValueError if ``text`` is neither a whole number of bytes nor a size with a unit.
    """
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    size = SIZE.parse(text)
    if size is None or not math.isfinite(size) or abs(size - round(size)) > 1e-3:
        raise ValueError(f"{text!r} is not a size in bytes; write {_nearest_size(text) or 'one such as 25MiB'}")
    return round(size)


def nearest_rate(value: object) -> str | None:
    """Return the rate that ``value`` most likely means, as text: ``100mbit`` for 1e8 or ``"100M"``.

    If ``value`` can mean bytes or bits, the text names both: ``100MB/s for bytes, or 100mbit for bits`` for
    ``"100MB"``. Return None if no rate fits, for example because the unit is unknown.
    """
    found = _split(value)
    if found is None:
        return None
    number, unit = found
    if unit == "":
        return _shaped(number * 1e6 if number <= _MOST_MEGABITS else number)
    match = re.fullmatch(r"([kmgt])i?(?:ega|iga|ilo)?(b[a-z/ ]*|ig|)", unit, re.IGNORECASE)
    if match is None:
        return None
    power = "kmgt".index(match[1].lower()) + 1
    bits = _shaped(number * 1000**power)
    # MB and MBPS have a capital B, but so has MBIT.
    if "B" in match[2] and "bit" not in unit.lower():
        return f"{number:g}{match[1].upper()}B/s for bytes" + (f", or {bits} for bits" if bits else "")
    return bits


def _nearest_delay(value: object) -> str | None:
    number, unit = _split(value) or (-1.0, "")
    if unit.lower() == "ns":
        return DELAY.format(max(number / 1e9, 1e-6))
    if number < 0 or (DELAY.parse(f"0{unit}") is None and unit):
        return None
    seconds = DELAY.parse(f"{number:.12f}{unit}") if unit else number if 0 < number < 1 else number / 1000
    return None if seconds is None or seconds > LONGEST_DELAY_SECONDS else DELAY.format(seconds) if seconds else "0ms"


def _nearest_loss(value: object) -> str | None:
    number, unit = _split(value) or (-1.0, "")
    if unit not in ("", "‰", "%") or number < 0:
        return None
    share = number / {"‰": 1000, "%": 100, "": 1 if number < 1 else 100}[unit]
    return format_loss(share) if share <= HIGHEST_LOSS else None


def _nearest_size(value: object) -> str | None:
    number, unit = _split(value) or (-1.0, "")
    if number < 1:
        return None
    match = re.fullmatch(r"([kmgt])(i?)(b|bytes?|)", unit, re.IGNORECASE)
    if match is not None:
        return f"{number:g}{match[1].upper()}{match[2].lower()}B"
    return str(round(number)) if unit == "" and number == round(number) else None


def _split(value: object) -> tuple[float, str] | None:
    """Return the number and the unit in ``value``; None if there is no number, or if it is too large for a float.

    The number may be written as 1,5 or 1_000 or 1e8.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    match = _NUMBER_AND_UNIT.fullmatch(_GROUPED.sub("", str(value).strip()))
    if match is None:
        return None
    number = float(match[1].replace(",", ".") + (match[2] or ""))
    return (number, match[3].strip()) if math.isfinite(number) else None


def _shaped(rate: float) -> str | None:
    return format_rate(round(rate)) if LOWEST_RATE <= rate <= HIGHEST_RATE else None
