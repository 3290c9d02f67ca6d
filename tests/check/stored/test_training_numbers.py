from typing import Any

import pytest

from liecbench.check.verdict import Outcome, Verdict
from tests.check.stored_results import METRICS, check, result_of, seeds, verdicts

PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
IF_ON_PURPOSE = "numbers changed; renew the baseline if on purpose"


def changed(metric: str, *factors: float) -> Outcome:
    """The outcome for seeds whose metric is that of the baseline × a factor, in both epochs."""
    value = {"compression_error": 0.5, "residual_norm": 2.0}[metric]
    return check(seeds([{metric: value * factor} for factor in factors]), seeds([{}] * len(factors)))


@pytest.mark.parametrize("metric", ["compression_error", "residual_norm"])
@pytest.mark.parametrize(
    ("factors", "expected"),
    [
        ([1.0] * 5, PASS),
        ([1.0001], PASS),  # equal within a ten-thousandth
        ([1.0002], INCONCLUSIVE),  # one seed
        ([1.049] * 2, PASS),
        ([1.051] * 2, FAIL),
        ([0.951] * 2, PASS),
        ([0.949] * 2, FAIL),
        ([0.99, 1.01, 1.0, 1.02, 0.98], PASS),
        ([0.9, 1.1, 1.0, 1.2, 0.8], INCONCLUSIVE),
    ],
    ids=str,
)
def test_a_mean_change_over_seeds_beyond_the_margin_fails(metric: str, factors: list[float], expected: Verdict) -> None:
    assert verdicts(changed(metric, *factors))[metric] is expected


def test_a_fallen_compression_error_asks_for_a_new_baseline() -> None:
    found = result_of(changed("compression_error", 0.5, 0.5), "compression_error")

    assert (found.verdict, found.reason, found.change) == (
        FAIL,
        f"-50.00% over 2 seeds; ±5% allowed; {IF_ON_PURPOSE}",
        -0.5,
    )


def test_the_interval_follows_the_t_table() -> None:
    found = result_of(changed("compression_error", 1.0, 1.01, 1.02), "compression_error")
    # Two metrics, four bounds: t of 2 degrees of freedom at 0.05 ÷ 4 is 6.205; the standard error is 0.01 ÷ √3.
    half = 6.205347 * 0.01 / 3**0.5

    assert (found.low, found.high) == pytest.approx((0.01 - half, 0.01 + half), abs=1e-7)


@pytest.mark.parametrize(
    ("changes", "stored", "reason"),
    [
        ({"residual_norm": None}, {}, "seed 1: in epoch 1 the method has lost an error memory"),
        ({}, {"residual_norm": None}, "seed 1: in epoch 1 the method has gained an error memory"),
        ({"compression_error": None}, {}, "seed 1: in epoch 1 the method has lost a compression error"),
    ],
    ids=["lost memory", "gained memory", "lost error"],
)
def test_a_metric_of_one_side_fails(changes: dict[str, Any], stored: dict[str, Any], reason: str) -> None:
    outcome = check(seeds([{}, changes, {}]), seeds([{}, stored, {}]))
    (metric,) = {*changes, *stored}

    assert (result_of(outcome, metric).verdict, result_of(outcome, metric).reason) == (
        FAIL,
        f"{reason}; {IF_ON_PURPOSE}",
    )


def test_a_metric_that_no_epoch_has_gives_no_result() -> None:
    none = {"compression_error": None, "residual_norm": None}
    outcome = check(seeds([none]), seeds([none]))

    assert set(METRICS) - set(verdicts(outcome)) == {"compression_error", "residual_norm"}


def test_accuracy_is_not_tested_more_strictly_for_the_numbers() -> None:
    cells = seeds([{}] * 5)

    assert check(cells, cells).settings["bounded_tests"] == 2
