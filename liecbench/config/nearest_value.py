"""Guess the value that a user meant, to suggest it in an error message.

The guess is a number, such as 1000 for ``1_000``, or a boolean, such as true for ``yes``.
"""

import re
from typing import Final

_MULTIPLES: Final = {
    "": 1.0,
    "%": 0.01,
    "percent": 0.01,
    "k": 1e3,
    "m": 1e6,
    "s": 1.0,
    "sec": 1.0,
    "seconds": 1.0,
    "min": 60.0,
    "minutes": 60.0,
    "h": 3600.0,
}
_NUMBER: Final = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*([a-z%]*)", re.ASCII)
_BASES: Final = {"0b": 2, "0o": 8, "0x": 16}
_WORDS: Final = {"yes": "true", "on": "true", "y": "true", "true": "true"} | dict.fromkeys(
    ("no", "off", "n", "false"), "false"
)


def nearest_number(value: object, *, whole: bool) -> str | None:
    """Return the number that ``value`` most likely means, as text such as ``1000``; None if there is none.

    Args:
        value: The value that the user wrote, such as ``"1_000"``, ``"5%"`` or ``1000.0``.
        whole: True if the number must be whole.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    number = _number(str(value).strip().lower())
    if number is None or not abs(number) < 1e15 or (whole and number != round(number)):
        return None
    return str(round(number)) if number == round(number) else f"{number:.12g}"


def nearest_boolean(value: object) -> str | None:
    """Return the boolean that ``value`` most likely means, as text such as ``true``; None if there is none.

    Args:
        value: The value that the user wrote, such as ``"yes"`` or 1.
    """
    return _WORDS.get({"1": "yes", "0": "no"}.get(str(value), str(value)).strip().lower())


def _number(text: str) -> float | None:
    digits = text.lstrip("+-")[2:].replace("_", "")
    base = _BASES.get(text.lstrip("+-")[:2])
    if base is not None:
        try:
            return float(int(digits, base)) * (-1 if text.startswith("-") else 1)
        except (ValueError, OverflowError):
            return None
    if re.fullmatch(r"[-+]?\d{1,3}([,_ ']\d{3})+(\.\d+)?\D*", text, re.ASCII):
        text = re.sub("[,_ ']", "", text)
    match = _NUMBER.fullmatch(re.sub(r"(?<=\d)_(?=\d)", "", text).replace(",", "."))
    return None if match is None or match[2] not in _MULTIPLES else float(match[1]) * _MULTIPLES[match[2]]
