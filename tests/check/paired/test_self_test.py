import pytest

from liecbench.check.paired.self_test import cases, judged
from liecbench.check.verdict import Finding, Outcome, Pair, Verdict
from liecbench.errors import ExitCode

PAIR = Pair(relaunch=0, order="AB", a_seconds=1.0, b_seconds=1.0)


def outcome(same: Verdict, slowed: Verdict) -> Outcome:
    labels = [case.label for case in cases()[0]]
    findings = [
        Finding(cell=label, metric="step_seconds", verdict=verdict, reason="as found", pairs=(PAIR,))
        for label, verdict in zip(labels, (same, slowed), strict=True)
    ]
    return judged(Outcome(findings=tuple(findings)), ["a note"])


def test_identical_code_and_a_slowdown_are_tried_on_the_same_cell() -> None:
    same, slowed = cases()[0]

    assert (same.a, same.b, slowed.a) == (same.b, slowed.a, slowed.b)
    assert (same.slowdown, slowed.slowdown) == (0.0, 0.15)


@pytest.mark.parametrize(
    ("same", "slowed", "expected"),
    [
        (Verdict.PASS, Verdict.FAIL, ExitCode.DONE),
        (Verdict.FAIL, Verdict.FAIL, ExitCode.REGRESSION),
        (Verdict.PASS, Verdict.PASS, ExitCode.REGRESSION),
        (Verdict.PASS, Verdict.INCONCLUSIVE, ExitCode.INCONCLUSIVE),
        (Verdict.INCONCLUSIVE, Verdict.FAIL, ExitCode.INCONCLUSIVE),
    ],
)
def test_the_gate_passes_where_it_tells_them_apart(same: Verdict, slowed: Verdict, expected: ExitCode) -> None:
    assert outcome(same, slowed).exit_code is expected


def test_what_is_said_of_the_gate_says_so() -> None:
    found = outcome(Verdict.PASS, Verdict.FAIL)

    assert found.findings[1].reason == "the slowdown that was put in was found"
    assert (found.notes, found.settings["injected_slowdown"]) == (("a note",), 0.15)
