"""Small cells that tests train, and the link that they train over."""

from typing import Any

from liecbench.config.cell import Cell


def cell(algorithm: dict[str, Any], seed: int = 0, **task: Any) -> Cell:
    """Return a cell of two workers that trains the digits, or the task of ``task``."""
    fields = {"dataset": "digits", "model": {"name": "mlp", "width": 24}, "batch_size": 32, "epochs": 3}
    compresses = algorithm["name"] not in ("ddp", "powersgd", "psgd")
    return Cell.from_spec(
        {
            "algorithm": algorithm,
            "compressor": "sign" if compresses else None,
            "server": None if algorithm["name"] in ("ddp", "powersgd") else "sharded",
            "block_bytes": 2000,
            "workers": 2,
            "link": "none",
            "seed": seed,
            "task": {**fields, "learning_rate": 0.4, **task},
            "threads": 1,
            "backend": "gloo",
            "device": "cpu",
            "timing": "measured",
        }
    )


class NoLink:
    """An unshaped link."""

    pacer = None

    def shape(self) -> None: ...

    def unshape(self) -> None: ...

    def wire_bytes(self) -> None:
        return None
