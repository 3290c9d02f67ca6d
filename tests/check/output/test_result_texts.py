import math

import pytest
from hypothesis import given, settings, strategies

from liecbench.check.output.result_texts import result_texts, ungated_texts
from liecbench.check.verdict import CheckResult, Evidence, UngatedMetric
from tests.check.outcomes import result


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
    actual = result_texts(result(metric=metric, baseline=baseline, current=current))

    assert expected == (actual["baseline"], actual["now"])


@settings(max_examples=100, deadline=None)
@given(
    one=strategies.integers(min_value=0, max_value=10**12),
    difference=strategies.integers(min_value=1, max_value=1000),
    metric=strategies.sampled_from(["payload_bytes", "messages"]),
)
def test_a_single_byte_more_is_visible(one: int, difference: int, metric: str) -> None:
    actual = result_texts(result(metric=metric, baseline=one, current=one + difference))

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
    assert expected == result_texts(given_result)["change"]


@pytest.mark.parametrize(
    ("slower", "within", "expected"),
    [
        (0.02, 31.0, "slower 0.02, within 31"),
        (99.9, 1234.5, "slower 100, within 1234"),
        (3.8e16, 0, "slower 3.8e+16, within 0"),
    ],
)
def test_evidence_is_printed_as_two_figures(slower: float, within: float, expected: str) -> None:
    actual = result_texts(result(evidence=Evidence(slower=slower, within=within)))

    assert expected == actual["evidence"]


def test_a_zero_baseline_gives_no_change() -> None:
    assert ungated_texts(UngatedMetric(cell="a", metric="x", baseline=0.0, current=1.0))["change"] == ""
