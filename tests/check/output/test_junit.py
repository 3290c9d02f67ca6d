from collections import Counter
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings

from liecbench.check.output.junit import to_xml
from liecbench.check.verdict import CheckResult, Outcome, Verdict
from liecbench.errors import ExitCode
from tests.check.outcomes import ANY_OUTCOME, EMPTY, FAILED, OUTCOMES, paired, result

TAGS = {Verdict.FAIL: "failure", Verdict.INCONCLUSIVE: "skipped", Verdict.NOT_COMPARED: "skipped"}


def read(outcome: Outcome) -> ET.Element:
    return ET.fromstring(to_xml(outcome).encode())


def one(outcome: Outcome) -> ET.Element:
    (element,) = read(outcome).findall("testsuite/testcase[1]/*")
    return element


@pytest.mark.parametrize(("outcome", "code"), [*OUTCOMES.values(), (EMPTY, ExitCode.NOTHING_TO_COMPARE)])
def test_counts_are_those_of_the_outcome(outcome: Outcome, code: ExitCode) -> None:
    root = read(outcome)
    tags = Counter(TAGS.get(each.verdict, "passed") for each in outcome.results)
    errors = len(outcome.failed_cells) + (code in (3, 4))
    total = len(outcome.results) + errors
    expected = [str(number) for number in (total, tags["failure"], errors, tags["skipped"])]

    for element in (root, root[0]):
        assert expected == [element.get(name) for name in ("tests", "failures", "errors", "skipped")]
    assert total == len(root.findall("testsuite/testcase"))


@pytest.mark.parametrize(("outcome", "code"), [*OUTCOMES.values(), (EMPTY, ExitCode.NOTHING_TO_COMPARE)])
def test_the_suite_fails_if_the_exit_code_is_not_0(outcome: Outcome, code: ExitCode) -> None:
    bad = read(outcome).findall(".//failure") + read(outcome).findall(".//error")

    assert (code != 0) == bool(bad)


def test_a_failure_has_its_reason_and_figures() -> None:
    element = one(Outcome(results=(result(Verdict.FAIL, baseline=1e6, current=2e6, change=1.0),)))

    assert (
        element.tag,
        element.get("message"),
        element.text,
    ) == ("failure", "why it is fail", "baseline: 1 MB\nnow: 2 MB\nchange: +100.0 %")


@pytest.mark.parametrize(
    ("given_result", "expected"),
    [
        (
            paired(Verdict.INCONCLUSIVE),
            "inconclusive: why it is inconclusive (smallest detectable slowdown 4.5 %)",
        ),
        (
            result(Verdict.INCONCLUSIVE, unit="points", smallest_detectable=0.011),
            "inconclusive: why it is inconclusive (smallest detectable change 1.1 points)",
        ),
        (result(Verdict.INCONCLUSIVE), "inconclusive: why it is inconclusive"),
        (result(Verdict.NOT_COMPARED), "not compared: why it is not compared"),
    ],
)
def test_a_skipped_case_tells_the_smallest_detectable_change(given_result: CheckResult, expected: str) -> None:
    element = one(Outcome(results=(given_result,)))

    assert ("skipped", expected) == (element.tag, element.get("message"))


def test_a_pass_has_its_figures() -> None:
    element = one(Outcome(results=(paired(noisy=True),)))

    assert (element.tag, (element.text or "").splitlines()) == (
        "system-out",
        [
            "baseline: 25.1 ms",
            "now: 25.4 ms",
            "change: +1.2 % [−0.3, +2.8]",
            "pairs: 3",
            "evidence: slower 0.02, within 31",
            "smallest detectable: 4.5 %",
            "~ noisy: computing waited for a processor in over a fifth of these pairs",
        ],
    )


def test_cases_are_named_after_cell_and_metric() -> None:
    cases = read(FAILED).findall("testsuite/testcase")
    results = [(each.cell, each.metric) for each in FAILED.results]

    assert [*results, ("liecbench check", "psgd · 4 workers")] == [
        (case.get("classname"), case.get("name")) for case in cases
    ]


def test_a_failed_cell_has_its_reason_and_the_log_below() -> None:
    (error,) = read(FAILED).findall("testsuite/testcase/error")

    assert (error.get("message"), error.text) == ("rank 1 was lost", "rank 1 was lost\n  and more")


def test_an_inconclusive_outcome_is_an_error_beside_its_skipped_cases() -> None:
    elements = read(Outcome(results=(paired(Verdict.INCONCLUSIVE),))).findall("testsuite/testcase/*")

    assert [(each.tag, each.get("message")) for each in elements][1:] == [
        ("error", "INCONCLUSIVE: 1 of 1 inconclusive")
    ]
    assert elements[0].tag == "skipped"


def test_nothing_compared_is_an_error() -> None:
    element = one(EMPTY)

    assert (element.tag, element.get("message")) == ("error", "NOTHING COMPARED: there was nothing to compare")


@settings(max_examples=50, deadline=None)
@given(outcome=ANY_OUTCOME)
def test_no_text_breaks_the_xml(outcome: Outcome) -> None:
    cases = read(outcome).findall("testsuite/testcase")
    words = [shown(each.cell) for each in outcome.results]

    assert words == [(case.get("classname") or "").split() for case in cases][: len(words)]


def shown(text: str) -> list[str]:
    return "".join(character if character.isprintable() else " " for character in text).split()
