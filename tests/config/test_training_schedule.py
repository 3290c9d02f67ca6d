import json
import math
from typing import Any

import pytest

from liecbench.algorithms.base import Algorithm
from liecbench.algorithms.ddp import AllReduce
from liecbench.algorithms.neolithic import Neolithic
from liecbench.compressors import Sign
from liecbench.config.task import Task
from liecbench.config.training_schedule import learning_rate_factor, minibatches_per_step, steps_per_epoch
from tests.scenarios import edited, scenario


def task(schedule: Any, epochs: int = 4) -> Task:
    text = edited("epochs: 2", f"epochs: {epochs}\n  schedule: {json.dumps(schedule)}")
    return scenario(text).cells()[0].task


def factors(schedule: Any, *, epochs: int = 4, per_epoch: int = 2) -> list[float]:
    one = task(schedule, epochs)
    return [learning_rate_factor(one, step=step, steps_per_epoch=per_epoch) for step in range(epochs * per_epoch)]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (None, [1, 1, 1, 1]),
        ({"milestones": [1, 3], "factor": 0.1}, [1, 0.1, 0.1, 0.01]),
        ("cosine", [1, 0.853553, 0.5, 0.146447]),
    ],
)
def test_the_learning_rate_follows_the_schedule_epoch_by_epoch(schedule: Any, expected: list[float]) -> None:
    assert factors(schedule) == pytest.approx([factor for factor in expected for _ in range(2)], rel=1e-5)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ({"warmup_steps": 4}, [0.25, 0.5, 0.75, 1, 1, 1, 1, 1]),
        ({"warmup_epochs": 1.5}, [1 / 3, 2 / 3, 1, 1, 1, 1, 1, 1]),
        ({"milestones": [1], "factor": 0.5, "warmup_steps": 4}, [0.25, 0.5, 0.375, 0.5, 0.5, 0.5, 0.5, 0.5]),
        ({"name": "cosine"}, [(1 + math.cos(math.pi * t / 8)) / 2 for t in range(8)]),
        (
            {"name": "cosine", "warmup_steps": 2},
            [0.5, 1, *((1 + math.cos(math.pi * t / 6)) / 2 for t in range(6))],
        ),
        (
            {"name": "cosine", "every": "epoch", "warmup_epochs": 1},
            [0.5, 1, 0.853553, 0.853553, 0.5, 0.5, 0.146447, 0.146447],
        ),
    ],
)
def test_a_warm_up_rises_step_by_step(schedule: Any, expected: list[float]) -> None:
    assert factors(schedule) == pytest.approx(expected, rel=1e-5)


def test_steps_after_the_last_epoch_keep_the_last_factor() -> None:
    one = task({"name": "cosine", "warmup_steps": 2})

    assert learning_rate_factor(one, step=100, steps_per_epoch=2) == factors({"name": "cosine", "warmup_steps": 2})[-1]


@pytest.mark.parametrize(
    ("schedule", "stored"),
    [
        ({"name": "cosine", "every": "epoch"}, "cosine"),
        ({"name": "constant"}, None),
        ({"warmup_steps": 0}, None),
        ({"milestones": [1], "warmup_epochs": 0.0}, {"milestones": [1], "factor": 0.1}),
        ({"warmup_steps": 3}, {"name": "constant", "warmup_steps": 3}),
        ({"name": "cosine", "warmup_steps": 3}, {"name": "cosine", "every": "step", "warmup_steps": 3}),
    ],
)
def test_equal_schedules_are_stored_alike_and_read_again(schedule: Any, stored: Any) -> None:
    one = task(schedule)

    assert one.model_dump(mode="json")["schedule"] == stored
    assert Task.model_validate(one.model_dump(mode="json")) == one


@pytest.mark.parametrize(
    ("algorithm", "accumulate", "expected"),
    [
        (AllReduce(), 1, (1, 22)),  # of 2 × 32 samples
        (AllReduce(), 4, (4, 5)),  # of 2 × 4 × 32 samples
        (Neolithic(compressor=Sign(), rounds=3, accumulate=True), 1, (3, 7)),  # of 2 × 3 × 32 samples
    ],
    ids=["one minibatch per step", "four of the task", "three of the method"],
)
def test_an_epoch_has_full_steps_only(algorithm: Algorithm, accumulate: int, expected: tuple[int, int]) -> None:
    cell = scenario(edited("epochs: 2", f"epochs: 2\n  accumulate: {accumulate}")).cells()[0]

    assert (minibatches_per_step(cell, algorithm), steps_per_epoch(cell, algorithm, 1437)) == expected


@pytest.mark.parametrize(
    ("workers", "batch_size", "accumulate", "num_samples", "expected"),
    [
        (8, 128, 1, 50_000, 49),  # CIFAR-10: 6250 per worker are 48 full batches and 106 samples
        (8, 128, 1, 100_000, 98),  # Tiny ImageNet: 12,500 per worker
        (8, 128, 4, 50_000, 13),  # of 512 samples
        (2, 32, 1, 1437, 23),  # 718 per worker, and one sample of 1437 is left out
        (2, 359, 1, 1437, 2),  # no smaller step is left
    ],
)
def test_a_kept_last_batch_is_one_more_step(
    workers: int, batch_size: int, accumulate: int, num_samples: int, expected: int
) -> None:
    cell = scenario(edited("batch_size: 32", "batch_size: 32\n  last_batch: keep")).cells()[0]
    task = cell.task.model_copy(update={"batch_size": batch_size, "accumulate": accumulate})
    other = cell.model_copy(update={"workers": workers, "task": task})

    assert steps_per_epoch(other, AllReduce(), num_samples) == expected
