"""Warnings merged for people: those that differ only in the method or in numbers become one sentence."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from liecbench.network.quantity import DELAY, RATE, Quantity
from liecbench.results.verdict_words import shortened

# The deviations that a warning on a link lists; see network.measurement.deviations.
_RATE: Final = re.compile(r"rank \d+ (?:up|down): asked (\S+), measured (\S+) \([^)]*\)")
_MORE: Final = re.compile(r" and \d+ more$")
_ROUND_TRIP: Final = re.compile(r"rank \d+ round trip to the hub: asked (\S+), measured (\S+) \([^)]*\)")
# No part of a name such as 5mbit, and no comma after the number.
_NUMBER: Final = re.compile(r"(?<![\w.])[+-]?\d+(?:,\d{3})*(?:\.\d+)?(?![\w.])")


def merged_warnings(warnings: Sequence[str]) -> list[str]:
    """Return fewer sentences that say the same as ``warnings``.

    Rates that links miss are told once per requested rate, as in ``links of 500mbit carried 443mbit to 470mbit``. Other
    warnings that differ only in their numbers are one sentence, with the range of each number, after the methods.

    Args:
        warnings: Texts that begin with a method's name and a colon.
    """
    # A text that leaves deviations out cannot be merged, because the worst may be among them.
    whole = [text for text in warnings if not _MORE.search(text)]
    links = [text for text in whole if _RATE.search(text) or _ROUND_TRIP.search(text)]
    others = [text for text in warnings if text not in links]
    rates = _missed(_RATE.findall("\n".join(links)), RATE)
    trips = _missed(_ROUND_TRIP.findall("\n".join(links)), DELAY)
    return [
        *(f"links of {asked} carried {found}" for asked, found in rates),
        *(f"round trips of {asked} to the hub took {found}" for asked, found in trips),
        *_by_template(others),
    ]


def _missed(pairs: Iterable[tuple[str, str]], quantity: Quantity) -> Iterator[tuple[str, str]]:
    found: dict[str, list[str]] = {}
    for asked, measured in pairs:
        found.setdefault(asked, []).append(measured)
    for asked, texts in found.items():
        texts.sort(key=lambda text: quantity.parse(text) or 0.0)
        low, high = texts[0], texts[-1]
        yield asked, low if low == high else f"{low} to {high}"


def _by_template(warnings: Iterable[str]) -> Iterator[str]:
    groups: dict[str, tuple[list[str], list[list[str]]]] = {}
    for warning in warnings:
        name, _, text = warning.partition(": ")
        names, numbers = groups.setdefault(_NUMBER.sub("\0", text), ([], []))
        names.append(name)
        numbers.append(_NUMBER.findall(text))
    for template, (names, numbers) in groups.items():
        first, *parts = template.split("\0")
        ranges = [_range(column) for column in zip(*numbers, strict=True)]
        text = first + "".join(found + part for found, part in zip(ranges, parts, strict=True))
        yield f"{shortened(list(dict.fromkeys(names)))}: {text}" if text else names[0]


def _range(texts: Sequence[str]) -> str:
    low, high = min(texts, key=_number), max(texts, key=_number)
    return low if low == high else f"{low}–{high}"


def _number(text: str) -> float:
    return float(text.replace(",", ""))
