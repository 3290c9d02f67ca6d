from typing import Any

import pytest

from liecbench.check.verdict import Outcome, Verdict
from tests.check.stored_results import METRICS, cell, check, result_of, seeds, traffic, verdicts

PASS, FAIL, NOT_COMPARED = Verdict.PASS, Verdict.FAIL, Verdict.NOT_COMPARED
IF_INTENDED = "write the baseline again if this is intended"


def against_itself(changes: dict[str, Any], stored: dict[str, Any] | None = None) -> Outcome:
    """Three seeds, of which the second has these changes in every epoch."""
    return check(seeds([{}, {**(stored or {}), **changes}, {}]), seeds([{}, stored or {}, {}]))


@pytest.mark.parametrize(
    ("changes", "metric", "expected"),
    [
        ({"payload_bytes": traffic(2_200_000, 2_200_001)}, "payload_bytes", FAIL),
        ({"payload_bytes": traffic(2_199_999, 2_200_001)}, "payload_bytes", FAIL),
        ({"payload_bytes": traffic(2_199_999)}, "payload_bytes", FAIL),
        ({"messages": [22, 23]}, "messages", FAIL),
        ({"messages": [22, 21]}, "messages", FAIL),
        ({"wire_bytes": traffic(2_580_599)}, "wire_bytes", PASS),  # 2,530,000 · 1.02 = 2,580,600
        ({"wire_bytes": traffic(2_580_601)}, "wire_bytes", FAIL),
        ({"wire_bytes": traffic(2_300_000)}, "wire_bytes", PASS),
        ({"compression_error": None}, "compression_error", FAIL),
        ({"residual_norm": None}, "residual_norm", FAIL),
    ],
    ids=str,
)
def test_one_seed_past_the_margin_fails(changes: dict[str, Any], metric: str, expected: Verdict) -> None:
    outcome = against_itself(changes)
    failing = {metric: expected} if expected is FAIL else {}

    assert verdicts(outcome) == {**dict.fromkeys(METRICS, PASS), **failing}


@pytest.mark.parametrize(
    ("changes", "metric", "expected"),
    [
        (
            {"payload_bytes": traffic(2_200_000, 3_300_000)},
            "payload_bytes",
            f"seed 1: 3300000 bytes sent by rank 1 in epoch 1, 2200000 in the baseline; +25.00% in all; {IF_INTENDED}",
        ),
        (
            {"messages": [11, 22]},
            "messages",
            f"seed 1: 11 messages by rank 0 in epoch 1, 22 in the baseline; -25.00% in all; {IF_INTENDED}",
        ),
        ({"wire_bytes": traffic(5_060_000)}, "wire_bytes", "seed 1: +100.00%; +2.0% allowed"),
    ],
)
def test_a_failure_names_seed_rank_and_epoch(changes: dict[str, Any], metric: str, expected: str) -> None:
    assert result_of(against_itself(changes), metric).reason == expected


def test_a_missing_epoch_fails() -> None:
    found = result_of(check([cell(epochs=1)], [cell()]), "payload_bytes")

    assert (found.verdict, found.reason) == (
        FAIL,
        f"seed 0: epochs: 2 in the baseline, 1 here; -50.00% in all; {IF_INTENDED}",
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (None, traffic(1), "no wire bytes in the baseline: not every rank has an interface of its own"),
        (traffic(1), None, "no wire bytes here: not every rank has an interface of its own"),
        (None, None, "no wire bytes here and in the baseline: not every rank has an interface of its own"),
    ],
)
def test_missing_wire_bytes_are_not_compared(old: object, new: object, expected: str) -> None:
    outcome = check(seeds([{"wire_bytes": new}]), seeds([{"wire_bytes": old}]))
    found = result_of(outcome, "wire_bytes")

    assert (found.verdict, found.reason, int(outcome.exit_code)) == (NOT_COMPARED, expected, 0)


def test_a_cell_that_sends_nothing_has_no_wire_bytes() -> None:
    silent = {"payload_bytes": traffic(0), "messages": [0, 0], "least_communicate_seconds": 0.0}
    cells = [[cell(changes={**silent, "wire_bytes": traffic(stray)})] for stray in (70, 140)]

    assert set(METRICS) - set(verdicts(check(*cells))) == {"wire_bytes", "communication_over_wire"}
