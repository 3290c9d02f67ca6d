"""Sentences as HTML: commands are set as code, and a number stays on one line with its unit."""

import re
from typing import Final

from markupsafe import Markup, escape

from liecbench.untrusted.plain_text import printable

_CODE: Final = re.compile("`([^`]+)`")
_OPTION: Final = re.compile(r"(?<!\S)(--[\w-]+(?: \d+)?)(?!\S)")
# 10.3× (10.0 to 10.7), +3.1 points, 2 seeds: a line does not break within an interval, nor before a unit.
_INTERVAL: Final = re.compile(r"(?<![\w.])(?:[\d.]+× \()?[+-]?[\d.]+×? to [+-]?[\d.]+(?![\w.])")
_UNIT: Final = re.compile(r"(?<=\d) (?=(points?|nats|seeds?)\b)")
_UNBROKEN: Final = "\N{NO-BREAK SPACE}"


def sentence(text: str) -> Markup:
    """Return a sentence as escaped HTML.

    Args:
        text: Plain text; a command in it stands between backquotes.
    """
    # Of parts split at the pattern's group, every second one is a command.
    parts = _CODE.split(printable(text))
    return Markup("").join(_code(part) if place % 2 else escape(_bound(part)) for place, part in enumerate(parts))


def _code(command: str) -> Markup:
    """Return a command as HTML. Lines do not break inside an option, or between an option and its number."""
    words = _OPTION.split(command)
    texts = (Markup("<span>{}</span>").format(word) if place % 2 else escape(word) for place, word in enumerate(words))
    return Markup("<code>{}</code>").format(Markup("").join(texts))


def _bound(text: str) -> str:
    intervals = _INTERVAL.sub(lambda found: found[0].replace(" ", _UNBROKEN), text)
    return _UNIT.sub(_UNBROKEN, intervals)
