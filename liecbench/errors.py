"""Errors that the user can fix, and the exit code of each class.

LiecbenchError            2  a mistake in a command or its arguments
├── ScenarioError         2  a mistake in a scenario file
├── MachineError          2  this machine cannot do what was asked
└── NothingToCompareError 4  results or a baseline hold nothing comparable
"""

import difflib
import errno
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Final, Self

from liecbench.untrusted.plain_text import one_line, printable, shortened

_MOST_MISTAKES: Final = 10


class ExitCode(IntEnum):
    """The exit codes of the ``liecbench`` command."""

    DONE = 0
    REGRESSION = 1
    USAGE = 2
    INCONCLUSIVE = 3
    NOTHING_TO_COMPARE = 4
    CELL_FAILED = 5
    UNEXPECTED_ERROR = 70
    INTERRUPTED = 130


class Interruption(SystemExit):
    """Raised on Ctrl-C or SIGTERM; a SystemExit, so that no ``except Exception`` catches it."""

    def __init__(self) -> None:
        super().__init__(int(ExitCode.INTERRUPTED))


class LiecbenchError(Exception):
    """An error that the user can fix; the message says what is wrong and, after a semicolon, what to do.

    Control characters in the message are escaped. Very long words and messages are cut in the middle.

    Attributes:
        mistakes: The errors that ``together`` joined in this one; empty for any other error.
    """

    exit_code = ExitCode.USAGE

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(printable(shortened(f"{message}; {remedy}" if remedy else message)))
        self.mistakes: tuple[Self, ...] = ()

    @classmethod
    def together(cls, source: str, errors: Sequence[Self]) -> Self:
        """Return one error for at least one mistake in ``source``. An error may itself be several mistakes together.

        The message of several mistakes starts with a line that counts them. It then has a line for each of the first
        ten.
        """
        mistakes = [mistake for error in errors for mistake in error.mistakes or (error,)]
        if len(mistakes) == 1:
            return mistakes[0]
        joined = cls(f"{source}: {len(mistakes)} mistakes")
        joined.mistakes = tuple(mistakes)
        lines = [one_line(str(one)) for one in (joined, *mistakes[:_MOST_MISTAKES])]
        left = len(mistakes) - _MOST_MISTAKES
        # Not an argument of cls, which would cut out the middle of a long message. Each line is already cut.
        joined.args = ("\n".join([*lines, f"and {left} more"] if left > 0 else lines),)
        return joined


class ScenarioError(LiecbenchError):
    """Mistakes in a scenario file; the message starts with the file and, if it is one mistake, the line and column."""


class MachineError(LiecbenchError):
    """An error because this machine cannot do what the command needs."""


class NothingToCompareError(LiecbenchError):
    """An error because there is nothing to compare: no usable cell in the results, or no file of a stored baseline."""

    exit_code = ExitCode.NOTHING_TO_COMPARE


def is_disk_error(error: OSError) -> bool:
    """Return whether an error comes from a full or read-only disk, or from a limit of the size of files."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def nearest(name: object, valid: Iterable[str]) -> str | None:
    """Return the one of the ``valid`` names that is most similar to ``name``; None if none is similar."""
    return next(iter(difflib.get_close_matches(str(name), sorted(valid), n=1, cutoff=0.6)), None)


def did_you_mean(name: object, valid: Iterable[str]) -> str:
    """Return a hint for an unknown ``name``: ``did you mean X?``, or a list of ``valid`` names if none is similar."""
    names = sorted(valid)
    match = nearest(name, names)
    return f"did you mean {match}?" if match else f"valid: {', '.join(names)}"
