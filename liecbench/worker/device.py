"""Where a rank computes."""

import os

import torch

from liecbench.cell import Cell


def device_of(cell: Cell) -> torch.device:
    """The CPU, or this rank's GPU."""
    return rank_device(cell.device)


def rank_device(kind: str) -> torch.device:
    """Of a ``kind``, ``cpu`` or ``cuda``, this rank's own; ranks beyond the machine's GPUs share them in turn."""
    if kind == "cpu":
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
