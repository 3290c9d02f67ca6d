"""Cells whose bytes and seconds are estimated by hand."""

from typing import Any

from liecbench.config.cell import Cell
from tests.ledgers import spec

# 64 pixels, one layer of 8, 10 classes: 610 parameters; 1437 // (32 × 2) = 22 steps per epoch.
NUMEL, STEPS = 64 * 8 + 8 + 8 * 10 + 10, 22


def cell(algorithm: Any = "ddp", **changes: Any) -> Cell:
    return Cell.from_spec(spec(**{"link": "10mbit", **changes}) | {"algorithm": algorithm})


def liec(**changes: Any) -> Cell:
    return cell({"name": "liec", "average_period": 4}, compressor="sign", server="sharded", **changes)
