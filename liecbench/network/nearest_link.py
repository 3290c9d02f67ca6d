"""Advice in error messages about an invalid link: how to write the link that the user probably means."""

import difflib
import re
from typing import Final

from liecbench.network.link import PRESETS
from liecbench.network.quantity import DELAY, LOSS, RATE
from liecbench.network.quantity_text import nearest_rate

_FALSE: Final = ("no", "off", "false", "n")
# What people call the keys of a link elsewhere.
KEY_SYNONYMS: Final = {
    "bandwidth": "rate",
    "bw": "rate",
    "speed": "rate",
    "latency": "delay",
    "ping": "delay",
    "rtt": "delay",
    "round_trip": "delay",
    "upload": "up",
    "upstream": "up",
    "uplink": "up",
    "download": "down",
    "downstream": "down",
    "downlink": "down",
    "packet_loss": "loss",
    "drop": "loss",
    "name": "preset",
    "type": "preset",
}
_ROUND_TRIPS: Final = ("ping", "rtt", "round_trip")
_PIECE: Final = re.compile(r"[0-9.]+\s*[^0-9.\s,;]+")
_NAME, _TIME = r"\b(?:ping|rtt|round[_ -]?trip)\b", r"(?<![0-9.])([0-9.]+\s*[uµμm]?s)\b"
# The first form comes first because a table has both: delay 20ms round trip 80ms.
_ROUND_TRIP_FORMS: Final = [re.compile(f, re.IGNORECASE) for f in (rf"{_NAME}[\s:=]*{_TIME}", rf"{_TIME}\s*{_NAME}")]


def link_remedy(value: object) -> str:
    """Return advice on what to write in place of ``value``, which is no link: if possible, the most similar link.

    Args:
        value: The value that the user wrote, such as ``1e8``, ``"100mbit 20ms"``, ``False`` or ``"wn"``.
    """
    if value is False or (isinstance(value, str) and value.strip().lower() in _FALSE):
        return "YAML reads no as false: write none"
    if value is None:
        return "write none for links without limits, or a rate such as 100mbit"
    if isinstance(value, list):
        return "a list has one link per entry; write {up: 10mbit, down: 100mbit} for one link of two rates"
    nearest = (_as_mapping(value) if isinstance(value, str) else None) or nearest_rate(value)
    if nearest is not None:
        return f"write {nearest}"
    if value in ("none", "host"):
        return f"only the links of all workers together can be {value}; write a rate, up to 32gbit"
    names = [*PRESETS, "none", "host"]
    near = difflib.get_close_matches(str(value).strip().lower(), names, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else f"write a rate such as 100mbit, or one of {', '.join(names)}"


def key_remedy(key: str) -> str | None:
    """Return advice on which key of a link to write in place of ``key``, a common synonym such as ``rtt``.

    Return None if ``key`` is no known synonym.
    """
    meant = KEY_SYNONYMS.get(key.lower())
    if meant is None:
        return None
    if key.lower() in _ROUND_TRIPS:
        return "write delay: a quarter of the round trip, because a message and its answer cross two links each"
    return f"write {meant}"


def _as_mapping(text: str) -> str | None:
    """Return the YAML mapping for a link: for example, ``{rate: 100mbit, delay: 20ms}`` for the text ``100mbit 20ms``.

    If the text has a round trip instead of a delay, such as ``100mbit rtt 80ms``, the delay is a quarter of the round
    trip. The reason for the quarter then follows the mapping in the returned text. Return None if the text is no link,
    or if it has only one number, such as ``100mbit``.
    """
    round_trip = next((found for form in _ROUND_TRIP_FORMS if (found := form.search(text))), None)
    if round_trip is not None:
        text = f"{text[: round_trip.start()]} {text[round_trip.end() :]}"
    if match := re.fullmatch(r"\s*([0-9.]+)\s*/\s*([0-9.]+)\s*([a-zA-Z].*)", text):
        text = f"{match[1]}{match[3]} {match[2]}{match[3]}"
    pieces = [piece.strip() for piece in _PIECE.findall(re.sub(r"[±↑↓]|\bdelay\b", " ", text))]
    rates, delays, losses = ([p for p in pieces if kind.parse(p) is not None] for kind in (RATE, DELAY, LOSS))
    if len(rates) + len(delays) + len(losses) != len(pieces):
        return None
    reason = ""
    if round_trip is not None and not delays:
        delays = [DELAY.format((DELAY.parse(round_trip[1]) or 0.0) / 4)]
        reason = ", because a round trip of two workers is four delays"
    if len(rates) not in (1, 2) or len(delays) > 2 or len(losses) > 1 or len(rates + delays + losses) < 2:
        return None
    names = ["rate"] if len(rates) == 1 else ["up", "down"]
    named = [*zip(names, rates, strict=True), *zip(("delay", "jitter"), delays, strict=False)]
    named += [("loss", loss) for loss in losses]
    return "{" + ", ".join(f"{name}: {piece}" for name, piece in named) + "}" + reason
