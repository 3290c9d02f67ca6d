"""Report an unexpected error: write a crash report to a file, print one line on standard error, exit with code 70.

A report has the command, the traceback and the versions of the software. The report lists no environment variables and
no local variables, and its URLs have neither password nor query string.
"""

import contextlib
import datetime as dt
import importlib.metadata
import os
import platform
import re
import shlex
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Final, NoReturn

from liecbench import __version__
from liecbench.console.console import ignore_unwritable_errors
from liecbench.errors import ExitCode
from liecbench.untrusted.plain_text import one_line, printable, shortened

_HIDDEN: Final = "***"
_PACKAGES: Final = ("torch", "numpy", "pydantic", "typer", "rich", "pyroute2")
_SECRET_NAME: Final = r"(?:token|secret|passw(?:or)?d|passphrase|(?:api|access)[_-]?key|credential|auth|cookie)"  # noqa: S105 - a pattern
_SECRETS: Final = (
    (re.compile(r"(\w[\w+.-]*://)[^\s/]*@"), rf"\1{_HIDDEN}@"),
    (re.compile(r"(\w[\w+.-]*://[^\s?#'\"]*[?#])[^\s'\"]+"), rf"\1{_HIDDEN}"),
    (
        re.compile(
            rf"(?i)([\w-]*{_SECRET_NAME}[\w-]*['\"]?\s*[=:]\s*)(?:(?:bearer|basic)\s+)?(\"[^\"]*\"|'[^']*'|\S+)"
        ),
        rf"\1{_HIDDEN}",
    ),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.+/=~-]{8,}"), rf"\1 {_HIDDEN}"),
    (re.compile(r"\b(?:gh[a-z]_|github_pat_|glpat-|hf_|sk-|xox[a-z]-|AKIA)[\w-]{8,}"), _HIDDEN),
)
_VARIABLE_OPTIONS: Final = ("--env-a", "--env-b")
_SHORTEST_SECRET: Final = 6  # variables such as TOKENIZERS_PARALLELISM=false hold no secret


def exit_unexpectedly(error: BaseException) -> NoReturn:
    """Write a crash report about ``error``, print one line for the user, and end the process with exit code 70.

    The line has the error's message and the path of the crash report. If no report could be written, the line says so.
    """
    try:
        place = f"the crash report {_write(_report(error))}"
    except Exception:  # the disk may be full, or the error may not be printable
        place = "these words (no crash report could be written)"
    with contextlib.suppress(Exception), ignore_unwritable_errors():
        print(
            f"liecbench: unexpected {one_line(shortened(_hidden(_message(error))))}; please report it where you got "
            f"liecbench from, with {printable(place)} and the output of `liecbench doctor`",
            file=sys.stderr,
        )
    sys.exit(ExitCode.UNEXPECTED_ERROR)


def _message(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}".removesuffix(": ")
    except Exception:  # the error's own __str__ is wrong
        return type(error).__name__


def _report(error: BaseException) -> str:
    versions = [f"{name} {_version(name)}" for name in _PACKAGES]
    lines = [
        f"liecbench {__version__}, Python {platform.python_version()}, {platform.platform()}",
        ", ".join(versions),
        f"command: {shlex.join(['liecbench', *_without_variables(sys.argv[1:])])}",
        "",
        *traceback.format_exception(error),
    ]
    return printable(_hidden("\n".join(lines)))


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _without_variables(words: list[str]) -> list[str]:
    """Return the words of a command with ``***`` as each VALUE of ``--env-a NAME=VALUE`` and ``--env-b NAME=VALUE``.

    ``--env-a=NAME=VALUE`` becomes ``--env-a=***``.
    """
    shown = []
    for before, word in zip(["", *words], words, strict=False):
        option = word.partition("=")[0]
        if before in _VARIABLE_OPTIONS:
            word = f"{word.partition('=')[0]}={_HIDDEN}"
        elif option in _VARIABLE_OPTIONS and "=" in word:
            word = f"{option}={_HIDDEN}"
        shown.append(word)
    return shown


def _hidden(text: str) -> str:
    """Return the text with ``***`` in place of each secret.

    Secrets are tokens, the passwords and query strings of URLs, and the values of environment variables with names such
    as ``API_KEY``, if a value has at least ``_SHORTEST_SECRET`` characters.
    """
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST_SECRET and re.search(_SECRET_NAME + "|key", name, re.IGNORECASE):
            text = text.replace(value, _HIDDEN)
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def _write(text: str) -> Path:
    """Write a report to a new file that only this user can read, and return the file's path.

    The file is in the user's state directory or, if that cannot be written, in the directory of temporary files.
    """
    now = dt.datetime.now(dt.UTC)
    prefix = f"liecbench-crash-{now:%Y%m%dT%H%M%S}-"
    try:
        state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "liecbench"
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, path = tempfile.mkstemp(prefix=prefix, suffix=".txt", dir=state)
    except (OSError, RuntimeError):
        descriptor, path = tempfile.mkstemp(prefix=prefix, suffix=".txt")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return Path(path)
