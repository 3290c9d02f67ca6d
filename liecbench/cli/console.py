"""Standard output and standard error, as all commands use them."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_PIPE_WIDTH = 200


@contextmanager
def ignore_broken_pipe() -> Iterator[None]:
    """Stop printing without an error when the reader of standard output closes it, as `head -1` does."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(text: str, quiet: bool) -> None:
    """Print progress or a warning to standard error, unless ``quiet``."""
    if not quiet and text:
        print(text, file=sys.stderr)


def console() -> "Console":
    """Return a console on standard output, as wide as its terminal; wide if it is a pipe."""
    from rich.console import Console

    # A pipe has no width: columns are hidden only on a terminal that is too narrow for them.
    return Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH)
