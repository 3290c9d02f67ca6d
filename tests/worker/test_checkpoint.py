import dataclasses
import json
import os
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from liecbench.config.jobs import Job
from liecbench.launch.plans import TrainingPlan
from liecbench.results.ledger import Ledger
from liecbench.results.ledger_reader import LedgerReader
from liecbench.results.records import Epoch, Start
from liecbench.worker import checkpoint, environment, loop
from liecbench.worker.backend_variables import Backend
from liecbench.worker.cell_link import CellLink
from liecbench.worker.cell_setup import set_up
from liecbench.worker.collective_errors import UnusableCheckpointError
from liecbench.worker.event_writer import RecordWriter
from liecbench.worker.process_pacing import choose_shaper
from liecbench.worker.trainer import Trainer
from tests.distributed import run_ranks
from tests.worker import small_cells
from tests.worker.small_cells import IMAGES, NoLink, epochs_of, numbers

cell = partial(small_cells.cell, batch_size=64)  # half the usual steps


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


class Harmful:
    """An object whose pickle runs code where it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.putenv, ("LIECBENCH_HARMED", "yes")


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def _replace(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: os.truncate(path, path.stat().st_size - 200),
    "flipped": _flip,
    "a directory": lambda path: _replace(path, Path.mkdir),
    "a pipe": lambda path: _replace(path, os.mkfifo),
    "endless": lambda path: _replace(path, lambda path: path.symlink_to("/dev/zero")),
    "a pickle": lambda path: path.write_bytes(pickle.dumps(Harmful())),
    "code": lambda path: torch.save({"random": Harmful()}, path),
    "another rank's": lambda path: path.write_bytes(path.with_name("epoch-2.rank-0.pt").read_bytes()),
    "another epoch's": lambda path: path.write_bytes(path.with_name("epoch-1.rank-1.pt").read_bytes()),
    "no dictionary": lambda path: torch.save([1], path),
}


def epochs_available(directory: Path) -> dict[str, tuple[int, int, bool]]:
    """Damage rank 1's last checkpoint, then both of its checkpoints; return the epochs after which all can resume.

    With them, whether the same checkpoint can be saved again and removed.
    """
    task = cell({"name": "psgd"})
    replica, found = set_up(task, NoLink()), {}
    job = Job(cell=task, epochs_done=2)
    for name, damage in DAMAGES.items():
        for epoch in (1, 2):
            checkpoint.save(directory, task.id, epoch, replica)
        assert checkpoint.available(directory, job) == 2
        dist.barrier()
        if dist.get_rank() == 1:
            damage(checkpoint._path(directory, task.id, 2))
        after_one = checkpoint.available(directory, job)
        checkpoint.forget(directory, task.id, 1)
        after_both = checkpoint.available(directory, job)
        checkpoint.save(directory, task.id, 2, replica)
        is_whole = checkpoint.available(directory, job) == 2
        checkpoint.forget(directory, task.id, 2)
        dist.barrier()
        found[name] = after_one, after_both, is_whole and not checkpoint._path(directory, task.id, 2).exists()
    replica.close()
    return found


def test_a_checkpoint_that_cannot_be_read_counts_as_missing(tmp_path: Path) -> None:
    for found in run_ranks(epochs_available, 2, tmp_path):
        assert found == dict.fromkeys(DAMAGES, (1, 0, True))


def resume_after_damage(directory: Path) -> list[Epoch]:
    """Resume a cell twice: with a damaged checkpoint, and with checkpoints of another model. Return all its epochs."""
    damaged, changed = cell({"name": "liec", "average_period": 4}), cell({"name": "psgd"})
    plan = TrainingPlan(backend="gloo", device="cpu", directory=str(directory))
    writer = RecordWriter(Ledger(directory), directory / "events") if dist.get_rank() == 0 else None
    backend = Backend.of(plan, shaped=False)
    link = CellLink(choose_shaper(None, backend, paced=False))
    replica = set_up(damaged, NoLink())
    trainer, records = Trainer(replica), []
    for epoch in (1, 2):
        records.append(trainer.epoch(epoch - 1, attempt=1))
        checkpoint.save(directory, damaged.id, epoch, replica)
    replica.close()
    for first in (damaged, changed):
        loop._record_start(Job(cell=first), 0, environment.describe(first, backend, link), writer)
        for record in records if writer is not None else ():
            assert writer is not None
            assert record is not None
            writer.record(dataclasses.replace(record, cell=first.id))
    other = set_up(cell({"name": "psgd"}, model={"name": "mlp", "width": 25}), NoLink())
    checkpoint.save(directory, changed.id, 2, other)
    other.close()
    if dist.get_rank() == 1:
        _flip(checkpoint._path(directory, damaged.id, 2))
    context = loop._Context(directory, link, writer, None, None)
    for resumed in (damaged, changed):
        loop._run_job(Job(cell=resumed, attempt=2, epochs_done=2), context, backend)
    return [*epochs_of(damaged), *epochs_of(changed)]


def test_a_cell_resumes_from_an_earlier_checkpoint_or_starts_again(tmp_path: Path) -> None:
    expected, _ = run_ranks(resume_after_damage, 2, tmp_path)
    # The ledger lacks the epochs before the checkpoint, so that its order is not that of a run.
    records = [line.record for line in LedgerReader(tmp_path).new_lines()]
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    notices = [event["text"].partition(": ")[2] for event in events if event["type"] == "notice"]
    begun = [
        record.epochs_done if isinstance(record, Start) else record.epoch
        for record in records
        if isinstance(record, Start | Epoch)
    ]
    trained = [record for record in records if isinstance(record, Epoch)]

    assert begun == [0, 1, 2, 0, 1, 2, 1, 2, 3, 2, 0, 1, 2, 3]
    assert numbers(trained[4:]) == numbers([*expected[1:3], *expected[3:]])
    missing = "its checkpoint after epoch 2 is missing, damaged or of another model: it is trained again from epoch"
    assert notices == [f"{missing} 2", f"{missing} 1"]


def load_what_does_not_fit(directory: Path) -> str:
    """Try to restore a checkpoint that fits on rank 0 only."""
    replica = set_up(cell({"name": "psgd"}), NoLink())
    checkpoint.save(directory, "a", 1, replica)
    if dist.get_rank() == 1:
        path = checkpoint._path(directory, "a", 1)
        torch.save({**torch.load(path, weights_only=True), "model": {}}, path)
    try:
        checkpoint.restore(directory, "a", 1, replica)
    except UnusableCheckpointError as error:
        return str(error)
    finally:
        replica.close()
    return "it fits"


def test_all_ranks_agree_that_a_checkpoint_does_not_fit(tmp_path: Path) -> None:
    message = "the checkpoint after epoch 1 is damaged or of another model"

    assert run_ranks(load_what_does_not_fit, 2, tmp_path) == [message, message]
