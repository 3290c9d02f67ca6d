"""Profiles that a machine keeps between runs, so that repeated runs replay the same compute.

Two measurements of a small model on one machine, minutes apart, were seen to differ by a factor of 1.9. If runs replay
the same profile, only communication can make their times differ.
"""

import functools
import hashlib
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import liecbench
from liecbench.config.cell import Cell
from liecbench.config.cell_fields import LATER_FIELDS
from liecbench.config.cell_keys import digest
from liecbench.config.optimizer_fields import UPDATE_FIELDS, update_of
from liecbench.config.own_code import code_files
from liecbench.errors import LiecbenchError
from liecbench.host import machine, variables
from liecbench.host.user_cache import expanded, user_cache
from liecbench.profiles.profile import Profile
from liecbench.profiles.profile_file import read_profile, write_sealed
from liecbench.profiles.profile_store import DIRECTORY

# A profile that was measured while other processes used more of the processors is not kept.
MOST_OTHER_CPU: Final = 0.1


def compute_fields(cell: Cell) -> dict[str, object]:
    """Return the fields of a cell that determine what a rank computes. Cells with equal fields can share a profile."""
    task = cell.task.model_dump(mode="json")
    names = ("dataset", "model", "batch_size", "precision", *UPDATE_FIELDS)
    return {"task": {name: task.get(name) for name in names}, "threads": cell.threads, "device": cell.device}


def kept_path(contestants: Sequence[Cell]) -> Path | None:
    """Return the path of the profile that this machine keeps for ``contestants``, cells with the same model.

    The file need not exist. Its name is a hash of everything that the profile depends on: the cells, the machine,
    versions, and the measured code. The directory is ``LIECBENCH_PROFILES`` or, if that is not set,
    ``~/.cache/liecbench/profiles``. Return None if the home directory is unknown.
    """
    cell = contestants[0]
    fields = {
        **compute_fields(cell),
        "machine": [platform.node(), machine.describe(threads=cell.threads)],
        "variables": variables.recorded(os.environ),
        "liecbench": _package_sha256(),
        "others": sorted({sha256 for one in contestants for sha256 in _others_sha256(one)}),
    }
    try:
        own = os.environ.get("LIECBENCH_PROFILES")
        directory = expanded(own) if own else user_cache() / "profiles"
    except LiecbenchError:
        return None
    return directory / f"{digest(fields)}.json"


def measured_path(cell: Cell, directory: Path) -> Path:
    """Return the path of the profile that a session with ``cell`` writes to ``directory``, the results directory."""
    return directory / DIRECTORY / f"measured-{digest(compute_fields(cell))}.json"


def has_method(profile: Profile, cell: Cell) -> bool:
    """Return True if a profile has times for a cell's method (algorithm with compressor), optimizer and clipping.

    The times of the compressor's own operations are not checked.
    """
    update, task = update_of(cell.task), profile.task
    if update not in [one.update for one in profile.updates] and (task is None or update != _update_in(task)):
        return False
    compressor = cell.compressor.model_dump() if cell.compressor else None
    return any((one.algorithm, one.compressor) == (cell.algorithm.model_dump(), compressor) for one in profile.methods)


def _update_in(task: dict[str, Any]) -> dict[str, Any]:
    return {name: task.get(name, LATER_FIELDS.get(name)) for name in UPDATE_FIELDS}


def read_kept(path: Path | None) -> Profile | None:
    """Return the profile in the file ``path``; None if ``path`` is None, or if the file cannot be read."""
    try:
        return read_profile(path) if path is not None and path.is_file() else None
    except (LiecbenchError, OSError):
        return None


def keep(path: Path, profile: Profile) -> None:
    """Write a profile to ``path``. If that is impossible, as on a full disk, do nothing: later runs measure again."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_sealed(path, profile)
    except (LiecbenchError, OSError):
        return


@functools.cache
def _package_sha256() -> str:
    found = hashlib.sha256()
    for file in sorted(Path(liecbench.__file__).parent.rglob("*.py")):
        found.update(file.read_bytes())
    return found.hexdigest()


def _others_sha256(cell: Cell) -> list[str]:
    """Return the SHA-256 of each file outside liecbench that defines a cell's model, dataset, method or compressor."""
    return [file.sha256 for file in code_files(cell).values()]
