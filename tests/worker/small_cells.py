"""Small cells that tests train, the link that they train over, and their numbers."""

from typing import Any

from liecbench.config.cell import Cell
from liecbench.results.records import Epoch
from liecbench.worker.cell_setup import set_up
from liecbench.worker.step_timing import rehearse
from liecbench.worker.trainer import Trainer


def cell(algorithm: dict[str, Any], seed: int = 0, **task: Any) -> Cell:
    """Return a cell of two workers that trains the digits, or the task of ``task``."""
    fields = {"dataset": "digits", "model": {"name": "mlp", "width": 24}, "batch_size": 32, "epochs": 3}
    compresses = algorithm["name"] not in ("ddp", "powersgd", "psgd", "local_sgd")
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

    def rates(self) -> None:
        return None

    def emulator_cpu_seconds(self) -> float:
        return 0.0


def own(name: str) -> dict[str, Any]:
    """Return the dataset and model keys of a task from tests/own_tasks.py."""
    return {"dataset": f"tests.own_tasks:{name}", "model": f"tests.own_tasks:{name}"}


# Augmented images, batch normalisation, and shards with different label shares.
IMAGES: dict[str, Any] = {
    "dataset": "tests.own_tasks:augmented_digits",
    "model": "tests.own_tasks:normalised_convolution",
    "partition": {"dirichlet": 0.5},
    "learning_rate": 0.1,
}


def epochs_of(cell: Cell, *, rehearsed: bool = False) -> list[Epoch]:
    """Train a cell, after a rehearsal if ``rehearsed``, and return its epochs on rank 0. Collective."""
    replica = set_up(cell, NoLink())
    if rehearsed:
        rehearse(replica)
    trainer = Trainer(replica)
    records = [trainer.epoch(index, attempt=1) for index in range(cell.task.epochs)]
    replica.close()
    return [record for record in records if record is not None]


def numbers(records: list[Epoch]) -> list[tuple[float, ...]]:
    """Return the numbers of each epoch that must repeat to the bit."""
    return [(r.train_loss, r.test_loss, r.test_accuracy, r.divergence, r.residual_norm or 0.0) for r in records]
