import json
from typing import Any

import pytest

from liecbench.algorithms.base import Algorithm
from liecbench.algorithms.ddp import AllReduce
from liecbench.algorithms.neolithic import Neolithic
from liecbench.compressors import Sign
from liecbench.config.training_schedule import learning_rate, steps_per_epoch
from tests.scenarios import BASE, edited, scenario


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (None, [0.1, 0.1, 0.1, 0.1]),
        ({"milestones": [1, 3], "factor": 0.1}, [0.1, 0.01, 0.01, 0.001]),
        ("cosine", [0.1, 0.0853553, 0.05, 0.0146447]),
    ],
)
def test_the_learning_rate_follows_the_schedule(schedule: Any, expected: list[float]) -> None:
    text = edited("epochs: 2", f"epochs: 4\n  schedule: {json.dumps(schedule)}")
    task = scenario(text).cells()[0].task

    assert [learning_rate(task, epoch) for epoch in range(4)] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        (AllReduce(), 22),  # of 2 × 32 samples
        (Neolithic(compressor=Sign(), rounds=3, accumulate=True), 7),  # of 2 × 3 × 32 samples
    ],
    ids=["one minibatch per step", "three minibatches per step"],
)
def test_an_epoch_has_full_steps_only(algorithm: Algorithm, expected: int) -> None:
    cell = scenario(BASE).cells()[0]

    assert steps_per_epoch(cell, algorithm, 1437) == expected
