"""Warnings for people: warnings that differ only in the method or in numbers are merged into one sentence."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from liecbench.config.short_lists import shortened
from liecbench.network.deviation import Deviation

# No part of a name such as 5mbit, and no comma after the number.
_NUMBER: Final = re.compile(r"(?<![\w.])[+-]?\d+(?:,\d{3})*(?:\.\d+)?(?![\w.])")

# What a warning says of one method, and what it says of several. The longer phrases come first.
_PLURALS: Final = {
    "its speed-up is": "their speed-ups are",
    "its speed-up contains": "their speed-ups contain",
    "its speed-up": "their speed-ups",
    "its value": "their values",
    "its": "their",
}
_SINGULAR: Final = re.compile("|".join(rf"\b{phrase}(?!\w)" for phrase in _PLURALS))


def merged_deviations(deviations: Sequence[Deviation]) -> list[str]:
    """Return one sentence per requested rate and per requested round trip, with the range of the measured values.

    An example is ``links of 500mbit carried 443mbit to 470mbit``.
    """
    rates = [one for one in deviations if one.of != "round trip"]
    trips = [one for one in deviations if one.of == "round trip"]
    return [
        *(f"links of {asked} carried {measured}" for asked, measured in _measured_ranges(rates)),
        *(f"round trips of {asked} to the hub took {measured}" for asked, measured in _measured_ranges(trips)),
    ]


def merged_warnings(warnings: Sequence[str]) -> list[str]:
    """Return the warnings. Those that differ only in the method or in numbers are merged into one.

    A merged warning has the names of the methods, and the range of each number.

    Args:
        warnings: Texts that begin with a method's name and a colon.
    """
    return list(_by_template(warnings))


def _measured_ranges(deviations: Iterable[Deviation]) -> Iterator[tuple[str, str]]:
    found: dict[str, list[Deviation]] = {}
    for one in deviations:
        found.setdefault(one.asked_text, []).append(one)
    for asked, alike in found.items():
        ends = [pick(one.measured for one in alike) for pick in (min, max)]
        yield asked, " to ".join(dict.fromkeys(alike[0].text(value) for value in ends))


def _by_template(warnings: Iterable[str]) -> Iterator[str]:
    groups: dict[str, tuple[list[str], list[list[str]]]] = {}
    for warning in warnings:
        name, _, text = warning.partition(": ")
        names, numbers = groups.setdefault(_NUMBER.sub("\0", text), ([], []))
        if name not in names:
            names.append(name)
        numbers.append(_NUMBER.findall(text))
    for template, (names, numbers) in groups.items():
        first, *parts = template.split("\0")
        ranges = [_range(column) for column in zip(*numbers, strict=True)]
        text = first + "".join(found + part for found, part in zip(ranges, parts, strict=True))
        text = _SINGULAR.sub(lambda found: _PLURALS[found[0]], text) if len(names) > 1 else text
        yield f"{shortened(names)}: {text}" if text else names[0]


def _range(texts: Sequence[str]) -> str:
    low, high = min(texts, key=_number), max(texts, key=_number)
    return low if low == high else f"{low}–{high}"


def _number(text: str) -> float:
    return float(text.replace(",", ""))
