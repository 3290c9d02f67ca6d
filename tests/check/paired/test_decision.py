import pytest

from liecbench.check.paired.decision import Decision, decided, log_ratio, weigh
from liecbench.check.verdict import Verdict
from tests.check.paired.made_pairs import RULE, pair, relaunches


def test_a_log_ratio_is_ln_b_over_a() -> None:
    assert pytest.approx(log_ratio(pair(0.1))) == 0.1


@pytest.mark.parametrize("log", [0.0, 0.2])
def test_four_relaunches_decide_nothing(log: float) -> None:
    assert decided(relaunches(*[[log] * 15] * 4), RULE, 1) is None
    assert decided(relaunches(*[[log] * 15] * 5), RULE, 1) is not None


def test_a_relaunch_with_two_pairs_does_not_count() -> None:
    assert decided(relaunches(*[[0.0] * 14] * 4, [0.0] * 2), RULE, 1) is None


def test_fail_wins_if_both_thresholds_are_reached() -> None:
    both = relaunches(*[[0.05] * 3] * 5)

    assert decided(both, RULE, 1) == Decision(verdict=Verdict.FAIL, num_pairs=15)


def test_more_tests_need_more_evidence_to_fail() -> None:
    # Fifteen of fifteen give 65535/16 = 4096.
    fifteen = relaunches(*[[0.2] * 3] * 5)
    alone, among = decided(fifteen, RULE, 204), decided(fifteen, RULE, 205)

    assert (alone, among) == (Decision(verdict=Verdict.FAIL, num_pairs=15), None)


def test_evidence_is_the_largest_over_all_looks() -> None:
    pairs = relaunches([0.2] * 10 + [-0.2] * 50)

    # After ten pairs of ten beyond: 2^11/11 · (1 − 2^−11).
    assert pytest.approx(weigh(pairs, RULE).slower) == (2**11 - 1) / 11


def test_a_verdict_does_not_change_with_later_pairs() -> None:
    failed = relaunches(*[[0.2] * 3] * 5)
    passed = relaunches(*[[0.0] * 3] * 5)

    fails = decided((*failed, *(pair(-0.1, 5) for _ in range(45))), RULE, 1)
    passes = decided((*passed, *(pair(0.05, 5) for _ in range(45))), RULE, 1)

    assert (fails, passes) == (
        Decision(verdict=Verdict.FAIL, num_pairs=15),
        Decision(verdict=Verdict.PASS, num_pairs=15),
    )
