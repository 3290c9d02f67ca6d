import dataclasses
import statistics
from collections import Counter
from typing import Any

import pytest
from scipy import stats

from liecbench.algorithms.comm.timing import Counters
from liecbench.worker.composed_timing import TimedKind, compose_epoch, half_width
from liecbench.worker.rank_measurement import RankMeasurement
from tests.ledgers import epoch


def seen(seconds: list[float], *, share: float = 0.5, wire: tuple[int, int] | None = None) -> RankMeasurement:
    """Steps of these seconds after one that was not timed; a ``share`` of them exposed."""
    total = sum(seconds)
    return RankMeasurement(
        mean_loss=1.0,
        num_steps=len(seconds) + 1,
        train_seconds=total,
        data_seconds=0.5 * total,
        step_seconds=seconds,
        exposed_seconds=share * total,
        counters=Counters(compress_seconds=0.1 * total, communicate_seconds=0.2 * total),
        wire_bytes=wire,
        cpu_seconds=(len(seconds) + 1) * 0.5,
        machine_cpu_seconds=(total, 2 * total),
        peak_memory_bytes=len(seconds),
    )


def kind(*ranks: RankMeasurement, count: int = 100) -> TimedKind:
    return TimedKind(count=count, ranks=list(ranks))


def test_the_interval_of_a_mean_is_students() -> None:
    values = [1.0, 1.2, 0.9, 1.1, 1.3]
    low, high = stats.t.interval(0.95, len(values) - 1, statistics.fmean(values), stats.sem(values))

    assert (high - low) / 2 == pytest.approx(half_width(values))


@pytest.mark.parametrize(
    ("seconds", "count", "expected"),
    [
        ([1.0] * 8, 100, True),
        ([1.0, 1.02] * 4, 100, True),
        ([1.0, 1.2] * 4, 100, False),
        ([1.0, 1.2] * 4, 8, True),
        ([1.0, 1.2] * 4, 9, False),
    ],
)
def test_a_kind_is_known_to_two_percent_or_timed_in_full(seconds: list[float], count: int, expected: bool) -> None:
    assert expected == kind(seen([0.5] * 8), seen(seconds), count=count).is_precise


def composed(**changes: Any) -> Any:
    trained = dataclasses.replace(epoch("trained", 3), steps=22, timed_steps=20, **changes)
    kinds = {
        # Rank 1 is slower in compressed steps, rank 0 in averaging ones: what counts is the epoch's sum.
        "compressed": kind(seen([0.1] * 4, wire=(500, 1000)), seen([0.2] * 4, wire=(550, 1100))),
        "averaging": kind(seen([1.5] * 4, wire=(5000, 5000)), seen([1.0] * 4, wire=(6000, 6000))),
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
    ) == [5.6, 2.8, 2.8, 0.56, 1.12]
    assert actual.step_seconds == pytest.approx({"median": 0.2, "p95": 1.5})


def test_what_gpus_did_on_another_link_is_not_its_own() -> None:
    _, actual = composed(gpu={"energy_joules": 5.0})

    assert actual.gpu is None


def test_bytes_on_the_wire_are_of_all_steps() -> None:
    _, actual = composed()

    assert actual.wire_bytes == {"sent": [20 * 100 + 2 * 1000, 20 * 110 + 2 * 1200], "received": [6000, 6800]}
    assert actual.cpu_seconds == pytest.approx(22 * 2 * 0.5)


def test_everything_that_a_rate_does_not_change_is_the_trajectorys() -> None:
    trained, actual = composed()
    names = ["epoch", "steps", "timed_steps", "train_loss", "test_accuracy", "payload_bytes", "messages", "divergence"]

    assert [getattr(trained, name) for name in names] == [getattr(actual, name) for name in names]
    assert (actual.cell, actual.attempt, actual.composed.trajectory) == ("slow", 2, "trained")
    assert {name: (found.steps, found.timed_steps) for name, found in actual.composed.kinds.items()} == {
        "compressed": (20, 4),
        "averaging": (2, 4),
    }
