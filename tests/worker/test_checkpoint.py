"""Checkpoints of earlier versions."""

from pathlib import Path

import torch

from liecbench.results.records import Epoch
from liecbench.worker import checkpoint
from liecbench.worker.cell_setup import set_up
from liecbench.worker.trainer import Trainer
from tests.distributed import run_ranks
from tests.worker.small_cells import NoLink, cell


def resume_from_old_file(directory: Path) -> tuple[Epoch | None, Epoch | None, bool]:
    """Train a second epoch without a break, and from a file in which ``random`` is the CPU's state, not a list."""
    task = cell({"name": "liec", "average_period": 4}, epochs=2)
    first = set_up(task, NoLink())
    trainer = Trainer(first)
    trainer.epoch(0, attempt=1)
    checkpoint.save(directory, task.id, 1, first)
    (path,) = directory.glob(f"checkpoints/*/*.rank-{torch.distributed.get_rank()}.pt")
    expected_state = torch.get_rng_state()
    torch.save({**torch.load(path, weights_only=True), "random": expected_state}, path)
    expected = trainer.epoch(1, attempt=1)
    first.close()
    second = set_up(task, NoLink())
    checkpoint.restore(directory, task.id, 1, second)
    state = torch.get_rng_state()
    actual = Trainer(second).epoch(1, attempt=1)
    second.close()
    return expected, actual, torch.equal(state, expected_state)


def test_a_file_from_a_version_without_gpu_support_loads(tmp_path: Path) -> None:
    (expected, actual, same_state), (_, _, others) = run_ranks(resume_from_old_file, 2, tmp_path)

    assert (same_state, others) == (True, True)
    assert (expected.train_loss, expected.test_loss) == (actual.train_loss, actual.test_loss)
