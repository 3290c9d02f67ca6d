"""Text that is safe to show: control characters are escaped, and long values are cut.

Names, options, paths and servers' messages may contain escape sequences and direction marks. An escape sequence may
move a terminal's cursor, change its title or write to its clipboard; a direction mark reverses the text around it.
"""

import re
from typing import Final

# Control characters except newline and tab, separators of lines and paragraphs, marks that change the direction of
# text, annotations, lone surrogates (which no encoding can write), the byte order mark, and tags, which are invisible.
_UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\ufffe\uffff\U000e0000-\U000e007f]"
)
_LONGEST_WORD: Final = 300
_LONGEST_TEXT: Final = 2000
_LONG_WORD: Final = re.compile(rf"\S{{{_LONGEST_WORD + 1},}}")


def printable(text: str) -> str:
    r"""Return the text with control characters written out, such as ``\u001b``. Newlines and tabs stay."""
    return _UNSAFE.sub(_escape, text)


def one_line(text: str) -> str:
    r"""Return the text as one line, safe to show.

    Each run of whitespace, line breaks included, becomes a single space. The remaining control characters are written
    out, such as ``\u001b``.
    """
    return printable(" ".join(text.split()))


def shortened(text: str) -> str:
    """Return the text, cut to about 2000 characters, with ``…`` in place of each part that is cut out.

    First, the middle of each word of more than 300 characters is cut out. If the text is still longer than 2000
    characters, the middle of the text is cut out.
    """
    # The middle, because the beginning and the end of a message say where the mistake is and what to do.
    text = _LONG_WORD.sub(lambda match: _cut(match[0], _LONGEST_WORD), text)
    return _cut(text, _LONGEST_TEXT)


def _cut(text: str, length: int) -> str:
    if len(text) <= length:
        return text
    end = length // 3
    return f"{text[: length - end]}…{text[-end:]}"


def _escape(match: re.Match[str]) -> str:
    # In this form, unlike \x1b, the character is also valid in a string of JSON.
    number = ord(match[0])
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
