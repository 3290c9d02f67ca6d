"""Checkpoints: every rank's state after an epoch, written before the epoch is recorded, removed after the next one."""

import os
import shutil
from pathlib import Path

import torch
import torch.distributed as dist

from liecbench.config.cell import Job
from liecbench.worker.replica import Replica


def _path(directory: Path, cell: str, epoch: int) -> Path:
    return directory / "checkpoints" / cell / f"epoch-{epoch}.rank-{dist.get_rank()}.pt"


def save(directory: Path, cell: str, epoch: int, replica: Replica) -> None:
    """Write this rank's state after ``epoch``, and return once every rank's state is on disk. Collective."""
    path = _path(directory, cell, epoch)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        torch.save(replica.state_dict(), file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    dist.barrier()


def available(directory: Path, job: Job) -> int:
    """Return the number of epochs that a resumed job can skip; 0 if any rank's checkpoint is missing. Collective."""
    present = torch.tensor(int(_path(directory, job.cell.id, job.epochs_done).exists()))
    dist.all_reduce(present, op=dist.ReduceOp.MIN)
    return job.epochs_done if present else 0


def restore(directory: Path, cell: str, epoch: int, replica: Replica) -> None:
    """Load into ``replica`` the state that this rank had at the end of ``epoch``."""
    state = torch.load(_path(directory, cell, epoch), map_location="cpu", weights_only=True)
    if isinstance(state["random"], torch.Tensor):  # from versions without GPU support: the CPU's state alone
        state["random"] = [state["random"]]
    replica.load_state_dict(state)


def forget(directory: Path, cell: str, epoch: int) -> None:
    """Remove the checkpoint that this rank wrote after ``epoch``, if it exists."""
    _path(directory, cell, epoch).unlink(missing_ok=True)


def clear(directory: Path, cell: str) -> None:
    """Remove all checkpoints of a cell from this machine's disk; ranks that share a disk may all call it."""
    shutil.rmtree(directory / "checkpoints" / cell, ignore_errors=True)
