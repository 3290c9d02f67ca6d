"""Standard output and standard error that escape control characters, and replace characters they cannot encode.

If a stream is a pipe that its reader closes, as ``head -1`` does, further text is lost, and the command goes on.
"""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, TextIO

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
        with self._going_on():
            self.unfiltered.write(printable(text))
        return len(text)

    def flush(self) -> None:
        """Write out the texts that are in the stream's buffer."""
        with self._going_on():
            self.unfiltered.flush()

    @contextlib.contextmanager
    def _going_on(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            drop(self.unfiltered)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unfiltered, name)


def drop(stream: IO[str]) -> None:
    """Discard the text in a stream's buffer, and all text that is printed on the stream later."""
    with contextlib.suppress(OSError, ValueError):  # a stream of a test is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


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
