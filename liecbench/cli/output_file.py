"""The kinds of files that commands write. A command overwrites only an empty file, or a file of the same kind."""

import enum
from pathlib import Path
from typing import Final

from liecbench.errors import LiecbenchError
from liecbench.untrusted import regular_files

_HEAD_BYTES: Final = 400


class OutputKind(enum.Enum):
    """A kind of file that commands write, such as a baseline.

    Each value is a tuple (name, mark). Messages show the name. Every file of the kind has the bytes of the mark
    among its first ``_HEAD_BYTES`` bytes, and is recognised by them.
    """

    REPORT = ("a report of liecbench", b"<!DOCTYPE html>")
    BASELINE = ("a baseline", b'"liecbench-baseline"')
    CHECK_JSON = ("an outcome of liecbench check", b'"liecbench-check"')
    JUNIT = ("JUnit XML", b"<testsuite")


def require_replaceable(path: Path, kind: OutputKind) -> None:
    """Raise LiecbenchError if ``path`` cannot be written, or is a file of another kind than ``kind``."""
    name, mark = kind.value
    try:
        regular_files.require_writable(path)
        if not path.is_file():
            return
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        message = f"{path}: it cannot be written ({error.strerror})"
        raise LiecbenchError(message, "give a file in a directory that you can write") from None
    if head.strip() and mark not in head:
        raise LiecbenchError(f"{path}: not overwritten, because it is not {name}", "give another name, or remove it")


def done_text(path: Path) -> str:
    """Return what to say once ``path`` is written; call this before.

    The text is ``replaced PATH`` if there is such a file and it is not empty, else ``wrote PATH``.
    """
    return f"{'replaced' if path.is_file() and path.stat().st_size else 'wrote'} {path}"
