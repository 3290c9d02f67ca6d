import pytest

from liecbench.check.paired.self_test import self_test_cases, verdict_on_gate
from liecbench.check.verdict import CheckResult, Outcome, Pair, Verdict
from liecbench.errors import ExitCode

PAIR = Pair(relaunch=0, order="AB", a_seconds=1.0, b_seconds=1.0)


def outcome(same: Verdict, slowed: Verdict) -> Outcome:
    labels = [case.label for case in self_test_cases()[0]]
    results = [
        CheckResult(cell=label, metric="step_seconds", verdict=verdict, reason="as found", pairs=(PAIR,))
        for label, verdict in zip(labels, (same, slowed), strict=True)
    ]
    return verdict_on_gate(Outcome(results=tuple(results)), ["a note"])


def test_identical_code_and_a_slowdown_are_tested_on_the_same_cell() -> None:
    same, slowed = self_test_cases()[0]

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
def test_the_gate_passes_if_it_tells_them_apart(same: Verdict, slowed: Verdict, expected: ExitCode) -> None:
    assert outcome(same, slowed).exit_code is expected


def test_the_reason_and_the_settings_tell_of_the_injected_slowdown() -> None:
    found = outcome(Verdict.PASS, Verdict.FAIL)

    assert found.results[1].reason == "the injected slowdown was found"
    assert (found.notes, found.settings["injected_slowdown"]) == (("a note",), 0.15)
