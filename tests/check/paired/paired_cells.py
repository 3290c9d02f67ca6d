"""Small cells for paired comparisons."""

from liecbench.config.cell import Cell

PERIOD = 4


def paired_cell(name: str = "ddp", **changes: object) -> Cell:
    """Return a cell of two ranks on the loopback; ``changes`` are fields of its spec."""
    options = {"average_period": PERIOD} if name == "liec" else {}
    compressed = name != "ddp"
    fields = {
        "algorithm": {"name": name, **options},
        "compressor": "sign" if compressed else None,
        "server": "sharded" if compressed else None,
        "block_bytes": "whole",
        "workers": 2,
        "link": "none",
        "seed": 0,
        "task": {
            "dataset": "digits",
            "model": {"name": "mlp", "width": 64},
            "batch_size": 32,
            "epochs": 2,
            "learning_rate": 0.1,
        },
        "threads": 1,
        "backend": "gloo",
        "device": "cpu",
        "timing": "measured",
    }
    return Cell.from_spec({**fields, **changes})
