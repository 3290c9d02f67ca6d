"""Other Python interpreters: their versions of liecbench and torch, and whether a paired check can run them."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from liecbench.errors import LiecbenchError

# Environment variables that unset PYTHONPATH: its directories would hide the packages that are installed.
NO_PYTHONPATH: Final = {"PYTHONPATH": ""}
_TIMEOUT_SECONDS = 60
_REMEDY = "give a Python ≥ 3.11 that has liecbench, such as ENVIRONMENT/bin/python"
_INSPECT = """
import importlib, importlib.metadata, json, platform
def version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
def protocol():
    for module in ("liecbench.worker.paired_worker", "liecbench.worker.turns"):  # the second up to 0.1
        try:
            return importlib.import_module(module).PROTOCOL
        except ModuleNotFoundError as error:
            if not (error.name or "").startswith("liecbench"):
                raise
answer = {"python": platform.python_version(), "protocol": protocol()}
print(json.dumps({**answer, **{name: version(name) for name in ("liecbench", "torch")}}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A Python interpreter and the versions that it has installed.

    Attributes:
        path: Path of the interpreter.
        python: Version of Python.
        liecbench: Version of liecbench.
        torch: Version of torch.
        protocol: Version of the messages that its paired workers read and write.
    """

    path: Path
    python: str
    liecbench: str
    torch: str
    protocol: int


def inspect(python: str | Path, protocol: int, *, name: str | None = None) -> Installation:
    """Return a Python interpreter's path, its versions of Python, liecbench and torch, and its protocol version.

    Args:
        python: Path of the interpreter, or the name of a command in PATH.
        protocol: The required protocol version. The protocol is the messages that paired workers read and write.
        name: Name of the interpreter in error messages; None to use the value of ``python``.

    Raises:
        LiecbenchError: If the interpreter does not exist or cannot be run, if it lacks liecbench or torch, or if its
            protocol version is not ``protocol``.
    """
    name = name or str(python)
    path = _located(python, name)
    answer = _answer(path, name)
    if answer["liecbench"] is None:
        raise LiecbenchError(f"{name}: no liecbench is installed there", "install it there")
    if answer["protocol"] != protocol:
        theirs = "none" if answer["protocol"] is None else answer["protocol"]
        message = (
            f"{name}: its liecbench {answer['liecbench']} cannot be compared by this one: "
            f"its paired workers have protocol {theirs}, this one's {protocol}"
        )
        raise LiecbenchError(message, f"compare versions with protocol {protocol}, or run that version's own check")
    if answer["torch"] is None:
        raise LiecbenchError(f"{name}: no torch is installed there", "install it there")
    return Installation(path=path, **answer)


def _located(python: str | Path, name: str) -> Path:
    """Return the absolute path of an interpreter.

    ``python`` is the interpreter's path, or the name of a command in PATH. ``name`` is what error messages call it.
    """
    found = shutil.which(python)
    if found is None:
        raise LiecbenchError(f"{name}: there is no such executable", _REMEDY)
    # Do not resolve symbolic links: the interpreter of a virtual environment is often a link to one outside.
    return Path(found).absolute()


def _answer(path: Path, name: str) -> dict[str, Any]:
    try:
        done = subprocess.run(
            [str(path), "-P", "-c", _INSPECT],
            env={**os.environ, **NO_PYTHONPATH},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_TIMEOUT_SECONDS,
        )
        answer = json.loads(done.stdout.splitlines()[-1]) if done.stdout and done.returncode == 0 else None
    except subprocess.TimeoutExpired:
        raise LiecbenchError(f"{name}: it did not answer within {_TIMEOUT_SECONDS} s", _REMEDY) from None
    except OSError as error:
        raise LiecbenchError(f"{name}: it cannot be run ({error.strerror})", _REMEDY) from error
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise LiecbenchError(f"{name}: it cannot say what it has installed ({last or 'no error printed'})", _REMEDY)
    return answer
