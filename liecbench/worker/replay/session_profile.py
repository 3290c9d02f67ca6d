"""The profile that a timing session replays: the scenario's, or one that rank 0 measures while all other ranks wait."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch.distributed as dist

from liecbench.config.cell import Cell
from liecbench.config.jobs import Session
from liecbench.errors import LiecbenchError
from liecbench.host.other_load import OtherLoad
from liecbench.profiles.profile import Profile
from liecbench.profiles.profile_file import read_profile, sealed_text, write_sealed
from liecbench.profiles.profile_store import load_stored, remember
from liecbench.worker.collective_errors import ProfileError
from liecbench.worker.device import rank_device
from liecbench.worker.profile_measurement import measure_profile
from liecbench.worker.replay.kept_profiles import (
    MOST_OTHER_CPU,
    has_method,
    keep,
    kept_path,
    measured_path,
    read_kept,
)
from liecbench.worker.replay.message_cost import measure_message_cost


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionProfile:
    """The profile that a timing session replays, and the SHA-256 of the profile's file.

    Attributes:
        files: The paths to which rank 0 writes the profile for later sessions and runs. Empty if the scenario names a
            profile.
    """

    profile: Profile
    sha256: str
    files: tuple[Path, ...] = ()


def session_profile(session: Session, directory: Path, heartbeat: Callable[[], None]) -> SessionProfile:
    """Return the profile that a session replays, equal on all ranks. Collective.

    The profile is the first in this list that exists:

    1. The profile that the scenario names.
    2. The profile that an earlier session wrote to the results directory.
    3. The profile that this machine kept from an earlier run.
    4. A new profile, which rank 0 measures.

    If profile 2 or 3 lacks methods of the session, rank 0 measures these methods and adds their times to the profile.
    If the scenario names no profile, rank 0 writes the returned profile to the results directory. Later sessions read
    it there, so that steps on all links compute for the same time.

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
        return _with_message_cost(profile)
    return profile


def _with_message_cost(found: SessionProfile) -> SessionProfile:
    """Return ``found`` with newly measured ``message_seconds`` and ``hop_seconds`` in its profile. Collective.

    Both are seconds per message besides the transfer: ``message_seconds`` if two ranks exchange messages, and
    ``hop_seconds`` in a ring all-reduce. Rank 0 also writes the new profile to ``found.files``.
    """
    group = dist.group.WORLD
    assert group is not None, "the ranks have joined"
    cost = measure_message_cost(group)
    update = {"message_seconds": cost.message, "hop_seconds": cost.hop}
    profile = found.profile.model_copy(update=update)
    if dist.get_rank() == 0:
        for path in found.files:
            keep(path, profile)
    return replace(found, profile=profile, sha256=_sha256(profile) if found.files else found.sha256)


def _find(session: Session, directory: Path, heartbeat: Callable[[], None]) -> SessionProfile:
    named = session.cell.profile
    if named is not None:
        return SessionProfile(profile=load_stored(directory, named), sha256=named)
    path = measured_path(session.cell, directory)
    contestants = [one.cell for one in session.contestants]
    kept = kept_path(contestants)
    before, is_quiet = (read_profile(path), False) if path.exists() else (read_kept(kept), True)
    missing = [cell for cell in contestants if before is None or not has_method(before, cell)]
    if before is None or missing:
        load = OtherLoad()
        before = _merged(before, _measured(session.cell, missing, heartbeat))
        is_quiet = is_quiet and load.share() <= MOST_OTHER_CPU
    path.parent.mkdir(exist_ok=True)
    write_sealed(path, before)
    files = [path]
    if kept is not None and is_quiet:
        keep(kept, before)
        files.append(kept)
    return SessionProfile(profile=before, sha256=_sha256(before), files=tuple(files))


def _sha256(profile: Profile) -> str:
    return hashlib.sha256(sealed_text(profile).encode()).hexdigest()


def _measured(cell: Cell, contestants: Sequence[Cell], heartbeat: Callable[[], None]) -> Profile:
    return measure_profile(
        cell,
        threads=cell.threads,
        device=rank_device(cell.device),
        contestants=contestants,
        heartbeat=heartbeat,
    )


def _merged(before: Profile | None, new: Profile) -> Profile:
    """Return ``before`` with those methods, compressors and optimizers of ``new`` that ``before`` lacks."""
    if before is None:
        return new
    known = [times.compressor for times in before.compressors]
    added = tuple(times for times in new.compressors if times.compressor not in known)
    methods = [(one.algorithm, one.compressor, one.kind) for one in before.methods]
    updates = [one.update for one in before.updates]
    return before.model_copy(
        update={
            "compressors": before.compressors + added,
            "methods": before.methods
            + tuple(one for one in new.methods if (one.algorithm, one.compressor, one.kind) not in methods),
            "updates": before.updates + tuple(one for one in new.updates if one.update not in updates),
        }
    )
