"""Functions with which the subcommands of ``liecbench`` print on standard output and standard error."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from liecbench.console.plain_streams import PlainStream, drop
from liecbench.errors import is_disk_error

if TYPE_CHECKING:
    from rich.console import Console

_PIPE_WIDTH = 200


@contextmanager
def name_full_disk(written: object) -> Iterator[None]:
    """Set the file name of a disk error in the ``with`` body to ``written``, unless the error has a file name.

    The error is still raised. A disk error comes, for example, from a full disk. ``written`` is a path, or a name such
    as ``standard output``.
    """
    try:
        yield
    except OSError as error:
        if is_disk_error(error) and error.filename is None:
            error.filename = str(written)
        raise


@contextmanager
def ignore_broken_pipe() -> Iterator[None]:
    """Suppress the error in the ``with`` body if the reader of standard output closes the pipe, as ``head -1`` does."""
    try:
        with name_full_disk("standard output"):
            yield
            sys.stdout.flush()
    except BrokenPipeError:
        drop(sys.stdout)


@contextmanager
def ignore_unwritable_errors() -> Iterator[None]:
    """Suppress every OSError, such as a broken pipe, in the ``with`` body, which must only print on standard error."""
    try:
        yield
        sys.stderr.flush()
    except OSError:
        drop(sys.stderr)  # else the interpreter would try again at its end, and exit with 120


def say(text: str, quiet: bool) -> None:
    """Print a line on standard error, unless ``quiet`` or the text is empty."""
    if not quiet and text:
        print(text, file=sys.stderr)


def console(*, stderr: bool = False, quiet: bool = False) -> "Console":
    """Return a console that prints on standard output or standard error.

    The width is the number in the environment variable COLUMNS. If COLUMNS is not a number above 0, the width is that
    of the terminal; without a terminal, the width is 200 characters. Only a terminal gets colour and animation.
    NO_COLOR and CLICOLOR=0 turn colour off. FORCE_COLOR is ignored.

    Args:
        stderr: True for a console on standard error instead of standard output.
        quiet: True for a console that prints nothing.
    """
    from liecbench.console.plain_console import PlainConsole

    stream: Any = sys.stderr if stderr else sys.stdout
    is_terminal = stream.isatty()
    return PlainConsole(
        file=stream.unfiltered if isinstance(stream, PlainStream) else stream,
        quiet=quiet,
        # CI systems set FORCE_COLOR. If it had an effect, their logs would be full of control codes.
        force_terminal=is_terminal,
        force_interactive=is_terminal,
        no_color=True if os.environ.get("CLICOLOR") == "0" else None,
        # A pipe has no width. It gets a large one, because only a terminal can be too narrow for a column.
        width=None if is_terminal or _asked_columns() else _PIPE_WIDTH,
        _environ={name: value for name, value in os.environ.items() if name != "COLUMNS" or _asked_columns()},
    )


def _asked_columns() -> bool:
    """Return whether the environment variable COLUMNS is a number above 0. At width 0, Rich would print nothing."""
    columns = os.environ.get("COLUMNS", "")
    return columns.isdecimal() and int(columns[:9]) > 0
