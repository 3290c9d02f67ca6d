from typing import Any

import pytest

from liecbench.worker.learning_rate import learning_rate
from tests.worker.small_cells import cell


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (None, [0.1, 0.1, 0.1, 0.1]),
        ({"milestones": [1, 3], "factor": 0.1}, [0.1, 0.01, 0.01, 0.001]),
        ("cosine", [0.1, 0.0853553, 0.05, 0.0146447]),
    ],
)
def test_schedules(schedule: Any, expected: list[float]) -> None:
    task = cell({"name": "ddp"}, epochs=4, learning_rate=0.1, schedule=schedule).task

    assert [learning_rate(task, epoch) for epoch in range(4)] == pytest.approx(expected, rel=1e-5)
