"""Functions with which the subcommands of ``liecbench`` print on standard output and standard error."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_PIPE_WIDTH = 200


@contextmanager
def name_full_disk(written: object) -> Iterator[None]:
    """Add the name of what is written to the error that a full disk raises, which names no file."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT) and error.filename is None:
            error.filename = str(written)
        raise


@contextmanager
def ignore_broken_pipe() -> Iterator[None]:
    """End the block without an error if the reader of standard output closes the pipe, as ``head -1`` does."""
    try:
        with name_full_disk("standard output"):
            yield
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(text: str, quiet: bool) -> None:
    """Print a line on standard error, unless ``quiet`` or the text is empty."""
    if not quiet and text:
        print(text, file=sys.stderr)


def console() -> "Console":
    """Return a console on standard output: as wide as the terminal or as COLUMNS says, else 200 characters wide."""
    from rich.console import Console

    # A pipe has no width. It gets a large one, because columns are to be hidden only on a terminal that is too narrow.
    return Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH)
