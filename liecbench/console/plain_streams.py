"""Standard output and standard error that escape control characters, and replace characters they cannot encode."""

import io
import os
import sys
from pathlib import Path
from typing import Any, TextIO

from liecbench.console import plain_characters
from liecbench.untrusted.plain_text import printable


class PlainStream:
    """A text stream that escapes the control characters in all texts, so that they cannot act on the terminal.

    ``unfiltered`` is the stream that receives the escaped texts. Rich writes its own colours and animations directly
    to it.
    """

    def __init__(self, unfiltered: TextIO) -> None:
        self.unfiltered = unfiltered

    def write(self, text: str) -> int:
        """Write a text and return its number of characters."""
        self.unfiltered.write(printable(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unfiltered, name)


def make_streams_plain() -> None:
    """Replace ``sys.stdout`` and ``sys.stderr`` by ``PlainStream`` objects.

    Characters that a stream's encoding lacks are replaced by similar ones. If Python was started without one of the
    streams, text that is printed on it is lost.
    """
    errors = plain_characters.register()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            stream = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - it is open as long as the process
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)
        if not isinstance(stream, PlainStream):
            setattr(sys, name, PlainStream(stream))
