"""Other interpreters: what is installed there, and whether it can take turns with what is installed here."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from liecbench.errors import LiecbenchError

# What this variable names would come before what is installed.
ALONE: Final = {"PYTHONPATH": ""}
_PATIENCE_SECONDS = 60
_REMEDY = "give a Python ≥ 3.11 that has liecbench, such as ENVIRONMENT/bin/python"
_ASK = """
import importlib, importlib.metadata, json, platform
def version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
protocol = None
for module in ("liecbench.worker.paired_worker", "liecbench.worker.turns"):  # its name up to protocol 2
    try:
        protocol = protocol or importlib.import_module(module).PROTOCOL
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("liecbench"):
            raise
answer = {"python": platform.python_version(), "protocol": protocol}
print(json.dumps({**answer, **{name: version(name) for name in ("liecbench", "torch")}}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """An interpreter, its version, what matters of what it has, and the protocol of its turns."""

    path: Path
    python: str
    liecbench: str
    torch: str
    protocol: int


def inspect(python: str | Path, protocol: int, *, name: str | None = None) -> Installation:
    """What is installed for an interpreter, a path or a name in PATH; errors call it by ``name``.

    LiecbenchError where it is none, or its liecbench cannot take turns with one that speaks ``protocol``.
    """
    name = name or str(python)
    path = _located(python, name)
    answer = _answer(path, name)
    if answer["liecbench"] is None:
        raise LiecbenchError(f"{name}: no liecbench is installed there", "install it there")
    if answer["protocol"] != protocol:
        spoken = "none" if answer["protocol"] is None else answer["protocol"]
        message = (
            f"{name}: its liecbench {answer['liecbench']} cannot take turns with this one: "
            f"it speaks protocol {spoken}, this one {protocol}"
        )
        raise LiecbenchError(message, f"compare what speaks it, as liecbench {version('liecbench')} does")
    if answer["torch"] is None:
        raise LiecbenchError(f"{name}: no torch is installed there", "install it there")
    return Installation(path=path, **answer)


def _located(python: str | Path, name: str) -> Path:
    """Where an interpreter is; a link stays one, because it is what tells a virtual environment from its origin."""
    found = shutil.which(python)
    if found is None:
        raise LiecbenchError(f"{name}: there is no such executable", _REMEDY)
    return Path(found).absolute()


def _answer(path: Path, name: str) -> dict[str, Any]:
    try:
        asked = subprocess.run(
            [str(path), "-P", "-c", _ASK],
            env={**os.environ, **ALONE},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_PATIENCE_SECONDS,
        )
        answer = json.loads(asked.stdout.splitlines()[-1]) if asked.stdout and not asked.returncode else None
    except subprocess.TimeoutExpired:
        raise LiecbenchError(f"{name}: it did not answer within {_PATIENCE_SECONDS} s", _REMEDY) from None
    except OSError as error:
        raise LiecbenchError(f"{name}: it cannot be run ({error.strerror})", _REMEDY) from error
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        last = asked.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise LiecbenchError(f"{name}: it does not say what it has ({last or 'no error printed'})", _REMEDY)
    return answer
