"""Where a rank computes."""

import os

import torch

from liecbench.cell import Cell


def device_of(cell: Cell) -> torch.device:
    """The CPU, or this rank's GPU; ranks beyond the machine's GPUs share them in turn."""
    if cell.device == "cpu":
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
