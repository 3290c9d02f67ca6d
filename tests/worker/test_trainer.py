import time
from typing import Any

import pytest
import torch.distributed as dist

from liecbench.algorithms import NonFiniteError
from liecbench.results.records import Epoch
from liecbench.worker.cell_setup import set_up
from liecbench.worker.trainer import Trainer
from tests.distributed import run_ranks
from tests.worker.small_cells import IMAGES, NoLink, cell, epochs_of, numbers, own

# The records of each cell in ``train_all``, and what ``train_slowly`` returns.
Observed = tuple[dict[str, list[Epoch]], tuple[list[Epoch], float]]
# 20 windows of 8 characters, of which 18 are trained on: two steps of 2 × 4.
TEXT: dict[str, Any] = {
    "dataset": {"name": "text", "context": 8, "characters": 161},
    "model": {"name": "gpt", "width": 8, "layers": 1, "heads": 2},
    "batch_size": 4,
}
ACCUMULATED: dict[str, dict[str, Any]] = {
    "accumulated": {"accumulate": 4},
    "kept": {"accumulate": 4, "last_batch": "keep"},
}
REHEARSED = cell({"name": "liec", "average_period": 4}, momentum=0.9, **IMAGES, epochs=1)


def train_all() -> dict[str, list[Epoch]]:
    return {
        "ddp": epochs_of(cell({"name": "ddp"}, warmup_steps=30)),
        "liec": epochs_of(cell({"name": "liec", "average_period": 4})),
        "again": epochs_of(cell({"name": "liec", "average_period": 4}, epochs=2)),
        "other seed": epochs_of(cell({"name": "liec", "average_period": 4}, seed=1, epochs=1)),
        "diverging": train_diverging(),
        "unseeded": epochs_of(cell({"name": "ddp"}, **own("drawn_from_everywhere"), epochs=1)),
        "own": epochs_of(cell({"name": "liec", "average_period": 4}, **own("regression"), learning_rate=0.05)),
        "convolutions": epochs_of(cell({"name": "liec", "average_period": 4}, **IMAGES)),
        "convolutions again": epochs_of(cell({"name": "liec", "average_period": 4}, **IMAGES, epochs=1)),
        "rehearsed": epochs_of(REHEARSED, rehearsed=True),
        "unrehearsed": epochs_of(REHEARSED),
        "language model": epochs_of(cell({"name": "psgd"}, **TEXT, epochs=1)),
        "powersgd rehearsed": epochs_of(cell({"name": "powersgd"}, epochs=1), rehearsed=True),
        "powersgd unrehearsed": epochs_of(cell({"name": "powersgd"}, epochs=1)),
        **{name: epochs_of(cell({"name": "ddp"}, epochs=1, **task)) for name, task in ACCUMULATED.items()},
    }


def train_slowly() -> tuple[list[Epoch], float]:
    """Return the epoch of a dataset that loads slowly, and the seconds that it took."""
    replica = set_up(cell({"name": "ddp"}, dataset="tests.own_tasks:slow_digits"), NoLink())
    trainer = Trainer(replica)
    start = time.perf_counter()
    record = trainer.epoch(0, attempt=1)
    seconds = time.perf_counter() - start
    replica.close()
    return [record] if record else [], seconds


def train_diverging() -> list[Epoch]:
    try:
        return epochs_of(cell({"name": "liec", "average_period": 4}, learning_rate=1e38))
    except NonFiniteError:
        dist.barrier()  # every rank must get here
        return []


def observe() -> Observed:
    return train_all(), train_slowly()


@pytest.fixture(scope="module")
def observed() -> list[Observed]:
    return run_ranks(observe, 2)


@pytest.fixture(scope="module")
def trained(observed: list[Observed]) -> dict[str, list[Epoch]]:
    first, second = (records for records, _ in observed)
    assert all(not records for records in second.values()), "only rank 0 makes records"
    return dict(first)


def test_training_learns(trained: dict[str, list[Epoch]]) -> None:
    assert trained["ddp"][-1].test_accuracy > 0.5
    assert trained["liec"][-1].test_accuracy > 0.5


def test_the_same_seed_gives_the_same_numbers_to_the_bit(trained: dict[str, list[Epoch]]) -> None:
    assert numbers(trained["liec"])[:2] == numbers(trained["again"])
    assert numbers(trained["liec"])[:1] != numbers(trained["other seed"])


@pytest.mark.parametrize(
    ("rehearsed", "unrehearsed"), [("rehearsed", "unrehearsed"), ("powersgd rehearsed", "powersgd unrehearsed")]
)
def test_a_rehearsal_changes_no_number(trained: dict[str, list[Epoch]], rehearsed: str, unrehearsed: str) -> None:
    first, second = trained[rehearsed], trained[unrehearsed]
    # PowerSGD's matrices may be aligned differently in memory, and products round differently then.
    tolerance = 1e-3 if "powersgd" in rehearsed else 0.0

    assert [pytest.approx(each, rel=tolerance, abs=0) for each in numbers(second)] == numbers(first)
    assert [r.payload_bytes for r in second] == [r.payload_bytes for r in first]


def test_convolutions_and_augmentation_give_the_same_numbers_to_the_bit(trained: dict[str, list[Epoch]]) -> None:
    assert numbers(trained["convolutions"])[:1] == numbers(trained["convolutions again"])
    assert trained["convolutions"][-1].test_accuracy > 0.5


def test_a_custom_task_is_trained_with_its_own_loss_and_accuracy(trained: dict[str, list[Epoch]]) -> None:
    first, *_, last = trained["own"]

    assert last.steps == 400 // 64
    # The targets' variance is 14.26, of which 0.01 is noise; accuracy 0.9 means an error of 0.3.
    assert (last.test_accuracy > 0.5, last.test_loss < 0.3 * first.test_loss) == (True, True)


def test_tokens_of_all_ranks_are_counted_for_language_models(trained: dict[str, list[Epoch]]) -> None:
    (epoch,) = trained["language model"]

    assert (epoch.steps, epoch.samples, epoch.tokens) == (2, 2 * 2 * 4, 2 * 2 * 4 * 8)
    assert trained["ddp"][0].tokens is None


def test_samples_of_all_ranks_are_counted(trained: dict[str, list[Epoch]]) -> None:
    # 1437 digits are 718 per rank: 22 minibatches of 32, of which 5 steps take 4 each. Kept, all of the 718 count.
    counted = {name: [(epoch.steps, epoch.samples) for epoch in trained[name]] for name in ("ddp", *ACCUMULATED)}

    assert counted == {
        "ddp": [(22, 2 * 22 * 32)] * 3,
        "accumulated": [(5, 2 * 20 * 32)],
        "kept": [(6, 2 * 718)],
    }


def test_loading_batches_is_no_part_of_training_time(observed: list[Observed]) -> None:
    (slow,), seconds = observed[0][1]

    # Each of 22 batches takes 50 ms to load, before its step begins.
    assert slow.data_seconds >= 22 * 0.05
    assert slow.train_seconds + slow.data_seconds <= seconds


def test_data_from_global_random_states_are_equal_on_all_ranks(trained: dict[str, list[Epoch]]) -> None:
    assert len(trained["unseeded"]) == 1


def test_the_parts_sum_to_training_time(trained: dict[str, list[Epoch]]) -> None:
    for record in trained["liec"]:
        assert record.steps == 1437 // 64
        parts = [record.exposed_wire_seconds, record.exposed_compress_seconds, record.other_seconds]
        known = [part for part in parts if part is not None and part > 0]
        assert len(known) == len(parts)
        assert record.compute_seconds + sum(known) == pytest.approx(record.train_seconds)
        assert 0 < record.compute_seconds < record.train_seconds
        assert 0 < record.exposed_seconds < record.train_seconds
        assert record.timed_steps == record.steps
        assert record.step_seconds is not None
        assert 0 < record.step_seconds["median"] <= record.step_seconds["p95"]
        assert record.compress_seconds > 0
        assert record.communicate_seconds > 0


def test_warm_up_steps_are_trained_but_not_timed(trained: dict[str, list[Epoch]]) -> None:
    first, second, third = trained["ddp"]

    assert [record.timed_steps for record in (first, second, third)] == [0, 14, 22]
    assert (first.train_seconds, first.step_seconds) == (0, None)
    assert first.payload_bytes == second.payload_bytes == third.payload_bytes
    assert second.train_seconds > 0


def test_only_local_models_diverge_and_only_error_feedback_has_a_norm(trained: dict[str, list[Epoch]]) -> None:
    assert [record.divergence for record in trained["ddp"]] == [0, 0, 0]
    assert [record.residual_norm for record in trained["ddp"]] == [None] * 3
    assert [record.compression_error for record in trained["ddp"]] == [None] * 3
    # After 22, 44 and 66 steps: the second epoch ends with an averaging step, after which models are equal and e is 0.
    assert [record.divergence > 1e-4 for record in trained["liec"]] == [True, False, True]
    assert [record.residual_norm == 0 for record in trained["liec"]] == [False, True, False]
    assert all(record.compression_error is not None and 0 < record.compression_error < 1 for record in trained["liec"])


def test_only_optimizers_with_states_have_bytes(trained: dict[str, list[Epoch]]) -> None:
    assert [record.optimizer_bytes for record in trained["ddp"]] == [None] * 3
    # A momentum for each of 8 · 9 weights of a convolution, 2 · 8 of its normalisation, and 512 · 10 + 10.
    assert [record.optimizer_bytes for record in trained["unrehearsed"]] == [4 * (72 + 16 + 5130)]


def test_non_finite_losses_end_the_cell_on_every_rank(trained: dict[str, list[Epoch]]) -> None:
    assert trained["diverging"] == []


def test_peak_memory_is_plausible(trained: dict[str, list[Epoch]]) -> None:
    assert 50 * 2**20 < trained["ddp"][0].peak_memory_bytes < 4 * 2**30
