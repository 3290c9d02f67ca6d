import dataclasses
from collections import Counter
from typing import Any

import pytest

from liecbench.worker.composed_timing import compose_epoch
from liecbench.worker.rank_measurement import RankMeasurement
from liecbench.worker.timed_kinds import TimedKind
from tests.ledgers import epoch
from tests.worker.rank_measurements import measurement


def kind(*ranks: RankMeasurement) -> TimedKind:
    return TimedKind(count=100, ranks=list(ranks))


def composed(**changes: Any) -> Any:
    trained = dataclasses.replace(epoch("trained", 3), steps=22, timed_steps=20, **changes)
    kinds = {
        # Rank 1 is slower in compressed steps, rank 0 in averaging ones; the sum over the epoch decides.
        "compressed": kind(measurement([0.1] * 4, wire=(500, 1000)), measurement([0.2] * 4, wire=(550, 1100))),
        "averaging": kind(measurement([1.5] * 4, wire=(5000, 5000)), measurement([1.0] * 4, wire=(6000, 6000))),
    }
    counts = Counter(compressed=20, averaging=2), Counter(compressed=18, averaging=2)
    return trained, compose_epoch(trained, kinds, counts, cell="slow", attempt=2)


def test_an_epoch_is_the_sum_of_counts_times_means() -> None:
    _, actual = composed()

    # 18 × 0.1 + 2 × 1.5 = 4.8 on rank 0, 18 × 0.2 + 2 × 1.0 = 5.6 on rank 1.
    assert pytest.approx(
        [
            actual.train_seconds,
            actual.exposed_seconds,
            actual.compute_seconds,
            actual.compress_seconds,
            actual.communicate_seconds,
        ]
    ) == [5.6, 2.8, 0.4 * (4.8 + 5.6) / 2, 0.56, 1.12]
    assert actual.step_seconds == pytest.approx({"median": 0.2, "p95": 1.5})


def test_gpu_metrics_of_the_trajectory_are_dropped() -> None:
    _, actual = composed(gpu={"energy_joules": 5.0})

    assert actual.gpu is None


def test_wire_bytes_and_cpu_seconds_are_of_all_steps() -> None:
    _, actual = composed()

    assert actual.wire_bytes == {"sent": [20 * 100 + 2 * 1000, 20 * 110 + 2 * 1200], "received": [6000, 6800]}
    assert actual.cpu_seconds == pytest.approx(22 * 2 * 0.5)


def test_everything_independent_of_the_link_comes_from_the_trajectory() -> None:
    trained, actual = composed()
    names = ["epoch", "steps", "timed_steps", "train_loss", "test_accuracy", "payload_bytes", "messages", "divergence"]

    assert [getattr(trained, name) for name in names] == [getattr(actual, name) for name in names]
    assert (actual.cell, actual.attempt, actual.composed.trajectory) == ("slow", 2, "trained")
    assert {name: (found.steps, found.timed_steps) for name, found in actual.composed.kinds.items()} == {
        "compressed": (20, 4),
        "averaging": (2, 4),
    }
