"""Checkpoints, from which a cell (one configuration with one seed) resumes after its last recorded epoch.

Each rank writes its state before an epoch is recorded, and removes it after the next epoch is recorded. In all
functions, ``directory`` is the results directory, ``cell`` is the cell's id, and ``epoch`` counts from 1.
"""

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
    """Write this rank's state at the end of ``epoch``, and return when every rank's state is on disk. Collective."""
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
    """Return the number of epochs after which ``job`` can resume: all recorded epochs, or 0. Collective.

    It is 0 if any rank lacks the checkpoint of the last recorded epoch.
    """
    present = torch.tensor(int(_path(directory, job.cell.id, job.epochs_done).exists()))
    dist.all_reduce(present, op=dist.ReduceOp.MIN)
    return job.epochs_done if present else 0


def restore(directory: Path, cell: str, epoch: int, replica: Replica) -> None:
    """Load into ``replica`` the state that this rank had at the end of ``epoch``."""
    state = torch.load(_path(directory, cell, epoch), map_location="cpu", weights_only=True)
    if isinstance(state["random"], torch.Tensor):  # a checkpoint of an early version, with only the CPU's RNG state
        state["random"] = [state["random"]]
    replica.load_state_dict(state)


def forget(directory: Path, cell: str, epoch: int) -> None:
    """Remove the checkpoint that this rank wrote at the end of ``epoch``, if it exists."""
    _path(directory, cell, epoch).unlink(missing_ok=True)


def clear(directory: Path, cell: str) -> None:
    """Remove all checkpoints of a cell from this machine's disk; ranks that share a disk may all call it."""
    shutil.rmtree(directory / "checkpoints" / cell, ignore_errors=True)
