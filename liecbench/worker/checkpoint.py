"""Checkpoints, from which a cell (one configuration with one seed) resumes after its last recorded epoch.

Each rank writes its state before an epoch is recorded, and removes it after the next epoch is recorded. A checkpoint
that cannot be read counts as missing: the cell resumes from an earlier one, or starts again. In all functions,
``directory`` is the results directory, ``cell`` is the cell's id, and ``epoch`` counts from 1.
"""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any, Final

import torch
import torch.distributed as dist

from liecbench.config.jobs import Job
from liecbench.untrusted.regular_files import require_regular
from liecbench.worker.collective_errors import UnusableCheckpointError
from liecbench.worker.global_generators import generator_states, set_generator_states
from liecbench.worker.replica import Replica

# A checkpoint is a file of torch.save, which ignores bytes behind its end. These bytes hold the SHA-256 of the others.
_DIGEST_BEGINS: Final = b"liecbench sha256"
_DIGEST_BYTES: Final = len(_DIGEST_BEGINS) + 32
_CHUNK_BYTES: Final = 2**20


def _path(directory: Path, cell: str, epoch: int) -> Path:
    return directory / "checkpoints" / cell / f"epoch-{epoch}.rank-{dist.get_rank()}.pt"


def save(directory: Path, cell: str, epoch: int, replica: Replica) -> None:
    """Write this rank's state at the end of ``epoch``, and return when every rank's state is on disk. Collective."""
    path = _path(directory, cell, epoch)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    for left in (partial, path):
        _remove(left)  # what a killed run left, or a damaged checkpoint that is no file
    with partial.open("x+b") as file:
        torch.save({**replica.state_dict(), **_identity(cell, epoch)}, file)
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").digest()
        file.write(_DIGEST_BEGINS + digest)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    dist.barrier()


def available(directory: Path, job: Job) -> int:
    """Return the last epoch, counted from 1, after which all ranks can resume the training of ``job``. Collective.

    Every rank can read its own checkpoint of this epoch. Epochs after ``job.epochs_done`` are ignored. The result is 0
    if the training must start anew.
    """
    agreed = job.epochs_done
    while agreed:
        own = next((epoch for epoch in range(agreed, 0, -1) if _is_readable(directory, job.cell.id, epoch)), 0)
        lowest = _lowest(own)
        if lowest == agreed:
            break
        agreed = lowest
    return agreed


def restore(directory: Path, cell: str, epoch: int, replica: Replica) -> None:
    """Load into ``replica`` the state that this rank had at the end of ``epoch``. Collective.

    Raises:
        UnusableCheckpointError: If any rank's checkpoint is damaged, or does not fit the model, the optimizer or the
            algorithm. The replica must then be discarded. Every rank raises this error.
    """
    before = generator_states()
    try:
        state = _read(directory, cell, epoch)
        if isinstance(state["random"], torch.Tensor):  # a checkpoint of an early version, with only the CPU's RNG state
            state["random"] = [state["random"]]
        replica.load_state_dict(state)
        succeeded = True
    except Exception:  # torch's message would advise to load the file unsafely
        succeeded = False
    if not _lowest(int(succeeded)):
        set_generator_states(before)
        raise UnusableCheckpointError(f"the checkpoint after epoch {epoch} is damaged or of another model")


def _lowest(own: int) -> int:
    value = torch.tensor(own)
    dist.all_reduce(value, op=dist.ReduceOp.MIN)
    return int(value)


def _is_readable(directory: Path, cell: str, epoch: int) -> bool:
    try:
        _read(directory, cell, epoch)
    except Exception:  # a damaged file makes torch raise many kinds of errors
        return False
    return True


def _read(directory: Path, cell: str, epoch: int) -> dict[str, Any]:
    """Return the state in this rank's checkpoint.

    Raises an exception of any kind if the file is damaged, or is of another cell, epoch, rank or world size.
    """
    path = _path(directory, cell, epoch)
    require_regular(path)
    _check_digest(path)
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    own = _identity(cell, epoch)
    found = {name: state.get(name, value) for name, value in own.items()}  # earlier versions' checkpoints lack them
    if found != own:
        raise ValueError(f"it is the checkpoint of {found}")
    return state


def _check_digest(path: Path) -> None:
    """Raise ValueError if a checkpoint was damaged after it was written.

    ``torch.load`` does not notice many kinds of damage.
    """
    with path.open("rb") as file:
        end = file.seek(-min(_DIGEST_BYTES, path.stat().st_size), os.SEEK_END)
        last = file.read()
        if not last.startswith(_DIGEST_BEGINS):
            return  # an earlier version has written the file
        file.seek(0)
        digest, remaining = hashlib.sha256(), end
        while remaining and (chunk := file.read(min(remaining, _CHUNK_BYTES))):
            digest.update(chunk)
            remaining -= len(chunk)
    if digest.digest() != last.removeprefix(_DIGEST_BEGINS):
        raise ValueError("it is damaged")


def _identity(cell: str, epoch: int) -> dict[str, Any]:
    return {"cell": cell, "epoch": epoch, "rank": dist.get_rank(), "world_size": dist.get_world_size()}


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def forget(directory: Path, cell: str, epoch: int) -> None:
    """Remove the checkpoint that this rank wrote at the end of ``epoch`` of a cell, if the checkpoint exists.

    ``cell`` is the cell's id.
    """
    _remove(_path(directory, cell, epoch))


def clear(directory: Path, cell: str) -> None:
    """Remove all checkpoints of a cell from this machine's disk; ranks that share a disk may all call it."""
    shutil.rmtree(directory / "checkpoints" / cell, ignore_errors=True)
