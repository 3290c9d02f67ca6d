import io
import re

import pytest
from hypothesis import given, settings, strategies
from rich.cells import cell_len
from rich.console import Console

from liecbench.check.output import outcome_table
from liecbench.check.verdict import FailedCell, Outcome, UngatedMetric, Verdict
from tests.check.outcomes import ANY_OUTCOME, EMPTY, FAILED, NOTHING, OUTCOMES, PASSED, UNMEASURED, paired, result


def printed(outcome: Outcome, *, width: int = 200, styled: bool = False) -> str:
    console = Console(
        file=io.StringIO(), width=width, force_terminal=styled, color_system="standard" if styled else None
    )
    console.print(outcome_table.render(outcome, width=width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def lines_of(outcome: Outcome, width: int = 200) -> list[str]:
    return [line.rstrip() for line in printed(outcome, width=width).splitlines() if line.strip("─ ")]


def test_a_table_equals_one_written_by_hand() -> None:
    results = (
        result(cell="b", baseline=1000.0, current=1000.0, change=0.0),
        paired(cell="a"),
        result(Verdict.FAIL, "a", "test_accuracy", unit="points", baseline=0.9, current=0.88, change=-0.02),
        result(Verdict.NOT_COMPARED, "a", "train_loss"),
    )
    outcome = Outcome(
        results=results, notes=("two seeds",), ungated=(UngatedMetric(cell="a", metric="x", baseline=4, current=2),)
    )

    assert lines_of(outcome) == [
        "verdict       cell  metric         baseline      now               change  pairs  evidence                "
        "smallest detectable",
        "FAIL          a     test accuracy    90.0 %   88.0 %          −2.0 points",
        "NOT COMPARED        train loss",
        "PASS                step seconds    25.1 ms  25.4 ms  +1.2 % [−0.3, +2.8]      3  slower 0.02, within 31  "
        "              4.5 %",
        "PASS          b     payload bytes      1 kB     1 kB               +0.0 %",
        outcome_table.CHANGE_OF_PAIRS,
        "FAIL a · test accuracy: why it is fail",
        "NOT COMPARED a · train loss: why it is not compared",
        "PASS a · step seconds: why it is pass",
        "for information, never gated",
        "cell  metric  baseline  now   change",
        "a     x              4    2  −50.0 %",
        "two seeds",
        "FAIL: 1 of 4 failed, 1 not compared",
    ]


def test_a_narrow_table_equals_one_written_by_hand() -> None:
    lines = lines_of(Outcome(results=(paired(Verdict.INCONCLUSIVE, noisy=True), result())), 80)

    assert lines[:-5] == [
        "              cell                                 baseline → now",
        "verdict       metric                                       change  evidence",
        "INCONCLUSIVE  liec(sign) · 2 workers ·          25.1 ms → 25.4 ms  slower 0.02",
        "              20mbit · seed 0                 +1.2 % [−0.3, +2.8]  within 31",
        "                step seconds ~                                     3 pairs",
        "                                                                   detects 4.5 %",
        "PASS            payload bytes",
        "~ noisy: computing waited for a processor in over a fifth of these pairs",
    ]


@pytest.mark.parametrize("width", [60, 80, 100, 130, 160, 200])
@pytest.mark.parametrize("name", OUTCOMES)
def test_no_width_loses_a_word(name: str, width: int) -> None:
    outcome, _ = OUTCOMES[name]
    text = printed(outcome, width=width)
    said = [f"{each.cell} {each.metric.replace('_', ' ')} {each.reason}" for each in outcome.results]
    lost = [f"{each.cell}: {each.reason}".partition("\n")[0] for each in outcome.failed_cells]  # a log follows
    words = {word for line in (*said, *lost, *outcome.notes) for word in line.split()}
    passed = {word for each in outcome.results if each.verdict is Verdict.PASS for word in each.reason.split()}

    assert (set(), True) == (
        words - set(text.split()) - passed,
        max(map(cell_len, text.splitlines())) <= width,
    )


def test_results_that_are_not_compared_for_one_reason_are_one_problem() -> None:
    metrics = ("test_accuracy", "train_loss")
    skipped = [result(Verdict.NOT_COMPARED, "a", metric, baseline=0.5, current=0.25) for metric in metrics]
    lines = lines_of(Outcome(results=(*skipped, result(Verdict.NOT_COMPARED, "b"), result(cell="c")), require_all=True))

    assert [line for line in lines if ": " in line] == [
        "NOT COMPARED a · test accuracy, train loss: why it is not compared",
        "NOT COMPARED b · payload bytes: why it is not compared",
        "INCONCLUSIVE: all 1 passed, 3 not compared (--require-all), time not gated",
    ]


def test_a_long_name_without_spaces_is_wrapped() -> None:
    name = "".join(f"{number:03d}" for number in range(60))
    rows = lines_of(Outcome(results=(result(cell=name, change=0.0),)), 80)

    assert "".join(re.findall(r"\d{4,}", " ".join(rows))) == name


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (PASSED, "PASS: all 2 passed"),
        (FAILED, "FAIL: 2 of 5 failed, 1 inconclusive, 1 not compared, 1 cell could not be measured"),
        (NOTHING, "NOTHING COMPARED: none of 1 could be compared"),
        (EMPTY, "NOTHING COMPARED: there was nothing to compare"),
        (UNMEASURED, "CELL FAILED: 1 cell could not be measured, all 1 passed"),
        (Outcome(results=(result(metric="communication_over_wire"),)), "PASS: all 1 passed"),
        (
            Outcome(results=(), failed_cells=(FailedCell(cell="a", reason="x"), FailedCell(cell="b", reason="x"))),
            "CELL FAILED: 2 cells could not be measured",
        ),
        (
            Outcome(results=(result(), result(Verdict.INCONCLUSIVE), result(Verdict.NOT_COMPARED))),
            "INCONCLUSIVE: 1 of 3 inconclusive, 1 not compared",
        ),
        (
            Outcome(results=(result(), result(Verdict.NOT_COMPARED))),
            "PASS: all 1 passed, 1 not compared, time not gated",
        ),
        (
            Outcome(results=(result(), result(Verdict.NOT_COMPARED, metric="communication_over_wire"))),
            "PASS: all 1 passed, 1 not compared, time not gated",
        ),
    ],
)
def test_the_last_line_is_the_verdict_with_counts(outcome: Outcome, expected: str) -> None:
    assert expected == lines_of(outcome)[-1]


def test_colour_carries_no_information() -> None:
    styled, unstyled = printed(FAILED, styled=True), printed(FAILED)
    words = Console(file=io.StringIO(), width=200).render_str("").from_ansi(styled).plain

    assert ("\x1b[" in styled, "\x1b" in unstyled, words.split()) == (True, False, unstyled.split())


@settings(max_examples=50, deadline=None)
@given(outcome=ANY_OUTCOME, width=strategies.sampled_from([80, 200]))
def test_names_cannot_move_the_cursor(outcome: Outcome, width: int) -> None:
    text = printed(outcome, width=width)
    text.encode()

    assert (set(), True) == (
        {character for character in text if not character.isprintable()} - {"\n"},
        max(map(cell_len, text.splitlines())) <= width,
    )


def test_of_thousands_of_results_the_worst_are_shown_and_the_rest_counted() -> None:
    results = (*(result(cell=f"c{number}") for number in range(600)), result(Verdict.FAIL, "worst"))
    lines = lines_of(Outcome(results=results))

    assert lines[1].startswith("FAIL")
    assert "and 101 more rows: --format json has all" in lines
    assert len(lines) < 520
