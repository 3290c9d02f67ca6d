"""The profile that a timing session replays: the scenario's, or one that rank 0 measures while all others wait."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch.distributed as dist

from liecbench.config.cell import Cell
from liecbench.config.cell_keys import digest
from liecbench.config.jobs import Session
from liecbench.errors import LiecbenchError
from liecbench.profiles.profile import Profile
from liecbench.profiles.profile_file import profile_text, read_profile, write_profile
from liecbench.profiles.profile_store import DIRECTORY, load_stored, remember
from liecbench.worker.collective_errors import ProfileError
from liecbench.worker.device import rank_device
from liecbench.worker.profile_measurement import measure_profile
from liecbench.worker.replay.message_cost import measure_message_cost

_TASK_FIELDS = ("dataset", "model", "batch_size", "precision", "momentum", "weight_decay")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionProfile:
    """A profile, and the SHA-256 of its file."""

    profile: Profile
    sha256: str


def session_profile(session: Session, directory: Path, heartbeat: Callable[[], None]) -> SessionProfile:
    """Return the profile that a session replays, equal on all ranks. Collective.

    If the scenario names none, rank 0 measures one and writes it to the results directory. Later sessions of the run
    read it there, so that all links are compared for the same computing.

    Args:
        session: The session.
        directory: The results directory; only rank 0 uses it.
        heartbeat: Called to signal that this rank makes progress.

    Raises:
        ProfileError: If the profile cannot be read or written.
    """
    found: list[SessionProfile | str] = [""]
    if dist.get_rank() == 0:
        try:
            found = [_find(session, directory, heartbeat)]
        except (LiecbenchError, OSError, ValueError) as error:
            found = [str(error)]
    dist.broadcast_object_list(found, src=0)
    (profile,) = found
    if isinstance(profile, str):
        raise ProfileError(profile)
    remember(profile.sha256, profile.profile)
    if session.cell.workers > 1 and None in (profile.profile.message_seconds, profile.profile.hop_seconds):
        return _with_message_cost(session.cell, profile, directory)
    return profile


def _with_message_cost(cell: Cell, found: SessionProfile, directory: Path) -> SessionProfile:
    """Return a profile with what ranks take per message, measured now. Collective.

    A profile that the run measured keeps it for later sessions.
    """
    group = dist.group.WORLD
    assert group is not None, "the ranks have joined"
    cost = measure_message_cost(group)
    update = {"message_seconds": cost.message, "hop_seconds": cost.hop}
    profile = found.profile.model_copy(update=update)
    if cell.profile is None and dist.get_rank() == 0:
        write_profile(_path(cell, directory), profile)
    return replace(found, profile=profile)


def _find(session: Session, directory: Path, heartbeat: Callable[[], None]) -> SessionProfile:
    named = session.cell.profile
    if named is not None:
        return SessionProfile(profile=load_stored(directory, named), sha256=named)
    path = _path(session.cell, directory)
    before = read_profile(path) if path.exists() else None
    cells = [one.cell for one in session.contestants if before is None or not _has(before, one.cell)]
    if before is None or cells:
        profile = _merged(before, _measured(session.cell, cells, heartbeat))
        path.parent.mkdir(exist_ok=True)
        write_profile(path, profile)
        before = profile
    return SessionProfile(profile=before, sha256=hashlib.sha256(profile_text(before).encode()).hexdigest())


def _measured(cell: Cell, contestants: Sequence[Cell], heartbeat: Callable[[], None]) -> Profile:
    return measure_profile(
        cell,
        threads=cell.threads,
        device=rank_device(cell.device),
        contestants=contestants,
        heartbeat=heartbeat,
    )


def _path(cell: Cell, directory: Path) -> Path:
    return directory / DIRECTORY / f"measured-{_key(cell)}.json"


def _key(cell: Cell) -> str:
    """Return a key that is equal for cells whose ranks compute the same."""
    task = cell.task.model_dump(mode="json")
    fields = {name: task.get(name) for name in _TASK_FIELDS}
    return digest({"task": fields, "threads": cell.threads, "device": cell.device})


def _has(profile: Profile, cell: Cell) -> bool:
    compressor = cell.compressor.model_dump() if cell.compressor else None
    return any((one.algorithm, one.compressor) == (cell.algorithm.model_dump(), compressor) for one in profile.methods)


def _merged(before: Profile | None, new: Profile) -> Profile:
    """Return ``before`` with the methods and compressors of ``new`` that it lacks."""
    if before is None:
        return new
    known = [times.compressor for times in before.compressors]
    added = tuple(times for times in new.compressors if times.compressor not in known)
    return before.model_copy(
        update={"compressors": before.compressors + added, "methods": before.methods + new.methods}
    )
