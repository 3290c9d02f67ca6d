"""Checkpoints: every rank's state after an epoch, written before the epoch is recorded, removed after the next one."""

import os
import shutil
from pathlib import Path

import torch
import torch.distributed as dist

from liecbench.config.cell import Job
from liecbench.worker.trainer import Training


def _path(directory: Path, cell: str, epoch: int) -> Path:
    return directory / "checkpoints" / cell / f"epoch-{epoch}.rank-{dist.get_rank()}.pt"


def save(directory: Path, cell: str, epoch: int, training: Training) -> None:
    """Write this rank's state; when it returns every rank's is on the disk. Collective."""
    path = _path(directory, cell, epoch)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        torch.save(training.state_dict(), file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    dist.barrier()


def available(directory: Path, job: Job) -> int:
    """How many epochs can be taken over: those committed, or none where a rank's state is gone. Collective."""
    present = torch.tensor(int(_path(directory, job.cell.id, job.epochs_done).exists()))
    dist.all_reduce(present, op=dist.ReduceOp.MIN)
    return job.epochs_done if present else 0


def restore(directory: Path, cell: str, epoch: int, training: Training) -> None:
    """Load this rank's state after ``epoch``."""
    state = torch.load(_path(directory, cell, epoch), map_location="cpu", weights_only=True)
    if isinstance(state["random"], torch.Tensor):  # the CPU's alone, from before there were GPUs
        state["random"] = [state["random"]]
    training.load_state_dict(state)


def forget(directory: Path, cell: str, epoch: int) -> None:
    """Remove this rank's state after ``epoch``."""
    _path(directory, cell, epoch).unlink(missing_ok=True)


def clear(directory: Path, cell: str) -> None:
    """Remove this machine's states of a cell that is over; ranks that share a disk may all call it."""
    shutil.rmtree(directory / "checkpoints" / cell, ignore_errors=True)
