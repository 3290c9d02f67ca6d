"""Errors that a user can cause, and the exit code of each kind.

LiecbenchError            2  a mistake in a command or its arguments
├── ScenarioError         2  a mistake in a scenario file
├── MachineError          2  this machine cannot do what was asked
└── NothingToCompareError 4  results or a baseline hold nothing comparable
"""

import difflib
from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    REGRESSION = 1
    USAGE = 2
    INCONCLUSIVE = 3
    NOTHING_TO_COMPARE = 4
    CELL_FAILED = 5
    INTERRUPTED = 130


class Interruption(SystemExit):
    """Ctrl-C or SIGTERM; a SystemExit, so that no handler of errors on the way out takes it for one."""

    def __init__(self) -> None:
        super().__init__(int(ExitCode.INTERRUPTED))


class LiecbenchError(Exception):
    """A mistake of the user's; the message says what is wrong and what to do about it."""

    exit_code = ExitCode.USAGE

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(f"{message}; {remedy}" if remedy else message)


class ScenarioError(LiecbenchError):
    """A mistake in a scenario file; the message starts with its place."""


class MachineError(LiecbenchError):
    """This machine cannot do what was asked."""


class NothingToCompareError(LiecbenchError):
    """Results, or a baseline, that hold nothing comparable."""

    exit_code = ExitCode.NOTHING_TO_COMPARE


def did_you_mean(name: object, valid: Iterable[str]) -> str:
    """Return a clause that names the likeliest of ``valid``, or lists them all."""
    names = sorted(valid)
    match = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    return f"did you mean {match[0]}?" if match else f"valid: {', '.join(names)}"
