import math
from collections.abc import Sequence
from typing import Any

import pytest

from liecbench.check.output.result_texts import result_texts
from liecbench.check.stored.baseline_cell import BaselineCell
from liecbench.check.stored.matching import CellMatch
from liecbench.check.stored.seeds import seed_results
from liecbench.check.verdict import CheckResult, Verdict
from liecbench.results.statistics import Estimate
from tests.check.stored_results import seeds

PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
RESOLUTION = 1 / 360


def found(
    old: Sequence[dict[str, Any]], new: Sequence[dict[str, Any]], level: float = 0.05
) -> tuple[CheckResult, CheckResult]:
    sides = zip(seeds(old), seeds(new), strict=True)
    matches = [CellMatch(baseline=BaselineCell.of(before), current=BaselineCell.of(after)) for before, after in sides]
    return seed_results(
        "cell", matches, accuracy_points=0.005, resolution=RESOLUTION, loss_nats=0.02, loss=0.05, level=level
    )


@pytest.mark.parametrize(
    ("values", "level", "half"),
    [
        ([1.0, 2.0, 3.0, 4.0, 5.0], 0.05, 2.131847 * math.sqrt(2.5 / 5)),  # t of 4 degrees of freedom
        ([1.0, 2.0, 3.0, 4.0, 5.0], 0.01, 3.746947 * math.sqrt(2.5 / 5)),
        ([1.0, 3.0], 0.05, 6.313752 * math.sqrt(2 / 2)),
        ([1.0, 2.0, 3.0], 0.025, 4.302653 * math.sqrt(1 / 3)),
        ([0.25, 0.25, 0.25], 0.05, 0.0),
    ],
)
def test_bounds_follow_the_t_table(values: list[float], level: float, half: float) -> None:
    actual, mean = Estimate.of(values, level), sum(values) / len(values)

    assert pytest.approx((mean, mean - half, mean + half), abs=1e-5) == (actual.mean, actual.low, actual.high)


# The bounds are 2.132 · (1 / 360) / √5 = 0.00265 away.
@pytest.mark.parametrize(
    ("drop", "expected"),
    [(0.0023, PASS), (0.0025, INCONCLUSIVE), (0.0075, INCONCLUSIVE), (0.0077, FAIL), (-0.25, PASS)],
)
def test_accuracy_may_fall_by_half_a_point(drop: float, expected: Verdict) -> None:
    accuracy, loss = found([{"test_accuracy": 0.75}] * 5, [{"test_accuracy": 0.75 - drop}] * 5)

    assert (accuracy.verdict, loss.verdict) == (expected, PASS)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (1.0, 1.049, PASS),
        (1.0, 1.051, FAIL),
        (1.0, 0.1, PASS),
        (0.01, 0.0199, PASS),  # the floor of 0.01
        (0.01, 0.0201, FAIL),
        (0.0, 0.009, PASS),
    ],
)
def test_the_loss_may_rise_by_a_twentieth(old: float, new: float, expected: Verdict) -> None:
    accuracy, loss = found([{"train_loss": old}] * 5, [{"train_loss": new}] * 5)

    assert (accuracy.verdict, loss.verdict) == (PASS, expected)


def test_a_result_has_the_change_and_its_bounds() -> None:
    new = [{"test_accuracy": 0.5 - drop} for drop in (0.01, 0.02, 0.03)]
    accuracy, _ = found([{"test_accuracy": 0.5}] * 3, new)
    half = 2.919986 * 0.01 / math.sqrt(3)
    assert accuracy.low is not None
    assert accuracy.high is not None

    assert (accuracy.unit, accuracy.verdict, accuracy.baseline, accuracy.reason) == (
        "points",
        INCONCLUSIVE,
        0.5,
        "points lost 2.00 over 3 seeds, between 0.31 and 3.69; 0.50 allowed, "
        # t(4) · 0.01 / √5 is 0.0095, below the distance of 0.015 to the margin
        "less than 2.19 could not have been detected; about 5 seeds would decide it",
    )
    assert pytest.approx((0.48, -0.02, -0.02 - half, -0.02 + half, 0.005 + half)) == (
        accuracy.current,
        accuracy.change,
        accuracy.low,
        accuracy.high,
        accuracy.smallest_detectable,
    )


def test_a_change_of_the_loss_is_relative_to_the_baselines() -> None:
    _, loss = found([{"train_loss": 2.0}] * 2, [{"train_loss": 2.5}] * 2)

    assert (loss.change, loss.low, loss.high, loss.reason) == (
        0.25,
        0.25,
        0.25,
        "higher by 0.5000 over 2 seeds, at least 0.5000; 0.1000 allowed; 2 seeds are few, run 5",
    )


def test_one_seed_is_inconclusive() -> None:
    accuracy, _ = found([{"test_accuracy": 0.5}], [{"test_accuracy": 0.25}])

    assert (accuracy.verdict, accuracy.change, accuracy.low, accuracy.reason) == (
        INCONCLUSIVE,
        -0.25,
        None,
        "points lost 25.00; one seed gives no interval, run 5",
    )


def test_one_seed_that_is_the_same_passes() -> None:
    accuracy, loss = found([{}], [{}])

    assert (accuracy.verdict, accuracy.change, loss.verdict, loss.reason) == (PASS, 0.0, PASS, "equal with 1 seed")


def test_only_the_last_epoch_counts() -> None:
    old, new = (seeds([{"test_accuracy": 0.75}] * 2) for _ in range(2))
    for one in new:
        one.epochs[0] = seeds([{"test_accuracy": 0.1}])[0].epochs[0]
    matches = [
        CellMatch(baseline=BaselineCell.of(a), current=BaselineCell.of(b)) for a, b in zip(old, new, strict=True)
    ]
    accuracy, _ = seed_results(
        "cell", matches, accuracy_points=0.005, resolution=RESOLUTION, loss_nats=0.02, loss=0.05, level=0.05
    )

    assert (accuracy.verdict, accuracy.current) == (PASS, 0.75)


def test_language_models_are_gated_by_their_test_loss() -> None:
    old = [{"test_loss": 2.0, "test_accuracy": 0.75, "tokens": 1000}] * 5
    higher, similar = ([{**one, "test_loss": 2.0 + rise, "test_accuracy": 0.5} for one in old] for rise in (0.25, 0.0))
    rise, _ = found(old, higher)
    equal, _ = found(old, similar)

    assert (rise.metric, rise.verdict, rise.unit, rise.change) == ("test_loss", FAIL, "nats", 0.25)
    assert rise.reason.startswith("nats more 0.250 over 5 seeds, at least 0.249")
    assert result_texts(rise)["change"].startswith("+0.250 nats [+0.249, +0.251]")
    assert (equal.metric, equal.verdict) == ("test_loss", PASS)
