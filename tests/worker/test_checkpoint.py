from functools import partial
from pathlib import Path

import torch

from liecbench.results.records import Epoch
from liecbench.worker import checkpoint
from liecbench.worker.cell_setup import set_up
from liecbench.worker.trainer import Trainer
from tests.distributed import run_ranks
from tests.worker.small_cells import IMAGES, NoLink, cell, epochs_of, numbers


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


def train_and_resume(directory: Path) -> tuple[list[Epoch], list[Epoch]]:
    """Train three epochs without a break, and with a new replica that resumes after the first."""
    convolutions = cell({"name": "liec", "average_period": 4}, **IMAGES)
    whole = epochs_of(convolutions)
    first = set_up(convolutions, NoLink())
    records = [Trainer(first).epoch(0, attempt=1)]
    checkpoint.save(directory, "a", 1, first)
    first.close()
    torch.manual_seed(99)
    second = set_up(convolutions, NoLink())
    checkpoint.restore(directory, "a", 1, second)
    trainer = Trainer(second)
    records += [trainer.epoch(index, attempt=2) for index in (1, 2)]
    second.close()
    return whole, [record for record in records if record is not None]


def test_augmented_images_and_batch_statistics_resume_to_the_bit(tmp_path: Path) -> None:
    (whole, pieces), _ = run_ranks(partial(train_and_resume, tmp_path), 2)

    assert numbers(whole) == numbers(pieces)
