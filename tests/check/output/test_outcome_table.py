import io
import math
import re

import pytest
from hypothesis import given, settings, strategies
from rich.cells import cell_len
from rich.console import Console

from liecbench.check.output import outcome_table
from liecbench.check.verdict import CheckResult, Evidence, Outcome, UngatedMetric, Verdict
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

    assert lines[:-3] == [
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
    lost = [text.partition("\n")[0] for text in outcome.failed_cells]  # a log follows
    words = {word for line in (*said, *lost, *outcome.notes) for word in line.split()}
    passed = {word for each in outcome.results if each.verdict is Verdict.PASS for word in each.reason.split()}

    assert (set(), True) == (
        words - set(text.split()) - passed,
        max(map(cell_len, text.splitlines())) <= width,
    )


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
        (Outcome(results=(), failed_cells=("a", "b")), "CELL FAILED: 2 cells could not be measured"),
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


@pytest.mark.parametrize(
    ("metric", "baseline", "current", "expected"),
    [
        ("step_seconds", 0.0251, 0.0254, ("25.1 ms", "25.4 ms")),
        ("step_seconds", 1.5, 90.0, ("1.5 s", "90 s")),
        ("step_seconds", 2.5e-5, 1234.5, ("25 µs", "1,234 s")),
        ("seconds_per_epoch", 2.0, 0.0, ("2 s", "0 µs")),
        ("payload_bytes", 999.0, 1e6, ("999 B", "1 MB")),
        ("payload_bytes", 1_000_000.0, 1_000_004.0, ("1 MB", "1.000004 MB")),
        ("wire_bytes", 2.5e12, 999_900.0, ("2,500 GB", "1 MB")),
        ("messages", 12345.0, 12346.0, ("12,345", "12,346")),
        ("train_loss", 0.69314, 0.69315, ("0.6931", "0.6932")),
        ("train_loss", 0.5, math.inf, ("0.5", "inf")),
        ("communicate_over_wire", 1.0, 1.25, ("1", "1.25")),
    ],
)
def test_figures_have_their_unit(metric: str, baseline: float, current: float, expected: tuple[str, str]) -> None:
    actual = outcome_table.result_texts(result(metric=metric, baseline=baseline, current=current))

    assert expected == (actual["baseline"], actual["now"])


@settings(max_examples=100, deadline=None)
@given(
    one=strategies.integers(min_value=0, max_value=10**12),
    difference=strategies.integers(min_value=1, max_value=1000),
    metric=strategies.sampled_from(["payload_bytes", "messages"]),
)
def test_a_single_byte_more_is_visible(one: int, difference: int, metric: str) -> None:
    actual = outcome_table.result_texts(result(metric=metric, baseline=one, current=one + difference))

    assert actual["baseline"] != actual["now"]


@pytest.mark.parametrize(
    ("given_result", "expected"),
    [
        (result(change=0.012), "+1.2 %"),
        (result(change=0.012, low=-0.003, high=0.028), "+1.2 % [−0.3, +2.8]"),
        (result(change=-0.02, unit="points"), "−2.0 points"),
        (result(change=-0.02, low=-0.05, unit="points"), "−2.0 points [−5.0, …]"),
        (result(change=0.0), "+0.0 %"),
        (result(change=-4e-6), "−0.0004 %"),
        (result(change=12.345), "+1,234.5 %"),
        (result(change=math.inf), "+∞ %"),
        (result(), ""),
    ],
)
def test_a_change_has_a_sign_and_its_interval(given_result: CheckResult, expected: str) -> None:
    assert expected == outcome_table.result_texts(given_result)["change"]


@pytest.mark.parametrize(
    ("slower", "within", "expected"),
    [
        (0.02, 31.0, "slower 0.02, within 31"),
        (99.9, 1234.5, "slower 100, within 1234"),
        (3.8e16, 0, "slower 3.8e+16, within 0"),
    ],
)
def test_evidence_is_printed_as_two_figures(slower: float, within: float, expected: str) -> None:
    actual = outcome_table.result_texts(result(evidence=Evidence(slower=slower, within=within)))

    assert expected == actual["evidence"]


def test_a_zero_baseline_gives_no_change() -> None:
    assert outcome_table.ungated_texts(UngatedMetric(cell="a", metric="x", baseline=0.0, current=1.0))["change"] == ""


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
