import pytest

from liecbench.check.paired.rule_settings import StoppingRule
from liecbench.check.verdict import Verdict
from tests.simulations.gate_decisions import Noise, shares

RULE = StoppingRule()
# Launches of the same code differ by a standard deviation of 5 %.
NOISE = Noise(launch=0.05)


@pytest.mark.parametrize(
    ("change", "verdict", "most"),
    [(0.0, Verdict.FAIL, 0.02), (0.10, Verdict.PASS, 0.08), (0.15, Verdict.PASS, 0.01)],
)
def test_wrong_verdicts_are_rare(change: float, verdict: Verdict, most: float) -> None:
    found, _, _ = shares(change, NOISE, RULE, checks=150)

    assert found[verdict] <= most


@pytest.mark.parametrize(("change", "verdict"), [(0.0, Verdict.PASS), (0.15, Verdict.FAIL)])
def test_clear_cases_are_decided(change: float, verdict: Verdict) -> None:
    found, _, _ = shares(change, NOISE, RULE, checks=100)

    assert found[verdict] >= 0.75


@pytest.mark.long
@pytest.mark.parametrize(
    ("change", "verdict", "most"),
    [(0.0, Verdict.FAIL, 0.01), (0.10, Verdict.PASS, 0.05), (0.15, Verdict.PASS, 0.005)],
)
def test_wrong_verdicts_are_rare_in_many_checks(change: float, verdict: Verdict, most: float) -> None:
    found, _, _ = shares(change, NOISE, RULE, checks=2000)

    assert found[verdict] <= most
