"""Encode texts for terminals and files whose encoding lacks some characters, as ASCII and Latin-1 do.

Symbols become similar ASCII text, such as ``x`` for ``×``, and letters lose their accents. Without this, one symbol in
a table would end the command with a UnicodeEncodeError.
"""

import codecs
import unicodedata
from typing import Final

_HANDLER: Final = "liecbench.plain"
_PLAIN: Final = {
    "−": "-",
    "–": "-",
    "—": "-",
    "─": "-",
    "━": "=",
    "╸": "=",
    "╺": "=",
    "│": "|",
    "├": "|",
    "└": "`",
    "·": "|",
    "•": "*",
    "×": "x",
    "÷": "/",
    "±": "+-",
    "½": "1/2",
    "≥": ">=",
    "≤": "<=",
    "→": "->",
    "←": "<-",
    "↑": "up",
    "↓": "down",
    "‖": "||",
    "∞": "inf",
    "µ": "u",
    "Σ": "sum",
    "⌈": "ceil(",
    "⌉": ")",
    "⌊": "floor(",
    "⌋": ")",
}


def register() -> str:
    """Register an error handler that replaces characters that an encoding lacks.

    Return the handler's name, which ``open`` and ``str.encode`` accept as the argument ``errors``.
    """
    codecs.register_error(_HANDLER, _replace)
    return _HANDLER


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_plain, error.object[error.start : error.end])), error.end


def _plain(character: str) -> str:
    found = _PLAIN.get(character)
    if found is None:
        found = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return found or ("" if unicodedata.combining(character) else "?")
