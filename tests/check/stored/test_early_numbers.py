from dataclasses import replace
from typing import Any

import pytest

from liecbench.check.verdict import Verdict
from tests.check.stored_results import (
    FIRST_STEPS,
    check,
    result_of,
    seeds,
    verdicts,
    with_first_steps,
    without_first_steps,
)

PASS, FAIL, NOT_COMPARED = Verdict.PASS, Verdict.FAIL, Verdict.NOT_COMPARED
IF_ON_PURPOSE = "numbers changed; renew the baseline if on purpose"


def losses(step: int, factor: float) -> list[float]:
    """The losses of the first steps, with that of one step multiplied."""
    found = list(FIRST_STEPS.train_loss)
    found[step - 1] *= factor
    return found


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"train_loss": losses(1, 1.00009)}, PASS),
        ({"train_loss": losses(1, 1.00011)}, FAIL),
        ({"train_loss": losses(5, 0.99989)}, FAIL),
        ({"compression_error": 0.5 * 1.00009}, PASS),
        ({"compression_error": 0.5 * 1.00011}, FAIL),
        ({"compression_error": 0.5 * 0.99991}, PASS),
        ({"compression_error": 0.5 * 0.99989}, FAIL),
        ({"compression_error": None}, FAIL),
        ({"residual_norm": 2.0 * 1.00009}, PASS),
        ({"residual_norm": 2.0 * 1.00011}, FAIL),
        ({"residual_norm": 0.0}, FAIL),
    ],
    ids=str,
)
def test_one_seed_past_the_margin_fails(changes: dict[str, Any], expected: Verdict) -> None:
    cells = seeds([{}] * 3)
    outcome = check([cells[0], *with_first_steps(cells[1:2], **changes), cells[2]], cells)

    assert verdicts(outcome)["first_steps"] is expected
    assert outcome.count(FAIL) == (expected is FAIL)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"compression_error": 0.25}, f"seed 0: compression error -50.0000%; ±0.01% allowed; {IF_ON_PURPOSE}"),
        ({"train_loss": losses(3, 2.0)}, f"seed 0: loss of step 3 +100.0000%; ±0.01% allowed; {IF_ON_PURPOSE}"),
        (
            {"residual_norm": None},
            f"seed 0: the method has lost its norm of the residuals; ±0.01% allowed; {IF_ON_PURPOSE}",
        ),
    ],
    ids=["error", "loss", "memory"],
)
def test_a_failure_names_seed_and_number(changes: dict[str, Any], expected: str) -> None:
    cells = seeds([{}])

    assert result_of(check(with_first_steps(cells, **changes), cells), "first_steps").reason == expected


def test_a_pass_tells_the_largest_difference() -> None:
    cells = seeds([{}] * 2)
    found = result_of(check(with_first_steps(cells, compression_error=0.5 * 1.00005), cells), "first_steps")

    assert found.reason == "losses, compression error and residuals differ by 5.0e-05 at most; 1e-04 allowed"


def test_a_baseline_of_an_earlier_version_says_so() -> None:
    cells = seeds([{}] * 2)
    outcome = check(cells, without_first_steps(cells))
    found = result_of(outcome, "first_steps")

    assert (found.verdict, found.reason, int(outcome.exit_code)) == (
        NOT_COMPARED,
        "an earlier version recorded the baseline, without the first steps; write it again",
        0,
    )


def test_results_of_an_earlier_version_say_so() -> None:
    cells = seeds([{}])

    assert result_of(check(without_first_steps(cells), cells), "first_steps").reason == (
        "an earlier version recorded the results, without the first steps; run them again"
    )


def test_methods_that_compress_nothing_are_compared_by_their_losses() -> None:
    nothing = {"compression_error": None, "residual_norm": None}
    cells = with_first_steps(seeds([nothing]), **nothing)
    worse = [replace(cells[0], epochs=[replace(cells[0].epochs[0], first_steps=None), *cells[0].epochs[1:]])]

    assert verdicts(check(cells, cells))["first_steps"] is PASS
    assert verdicts(check(with_first_steps(worse, train_loss=losses(1, 2.0), **nothing), cells))["first_steps"] is FAIL
