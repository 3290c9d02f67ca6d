"""Standard output and standard error as all commands use them."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_PIPE_WIDTH = 200


@contextmanager
def readers_may_leave() -> Iterator[None]:
    """Whoever reads standard output may have had enough, as in `liecbench list algorithms | head -1`."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(text: str, quiet: bool) -> None:
    """Tell of progress and warnings, on standard error."""
    if not quiet and text:
        print(text, file=sys.stderr)


def console() -> "Console":
    """Standard output as wide as its terminal."""
    from rich.console import Console

    # A pipe has no width: everything is shown.
    return Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH)
