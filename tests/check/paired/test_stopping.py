import pytest

from liecbench.check.paired.rule_settings import StoppingRule
from liecbench.check.paired.stopping import (
    decided,
    is_complete,
    is_hopeless,
    is_relaunch_complete,
    log_ratio,
    pairs_per_relaunch,
    weigh,
)
from liecbench.check.verdict import Pair, Verdict
from tests.check.paired.made_pairs import RULE, SAME, concluded, pair, relaunches


def test_a_log_ratio_is_ln_b_over_a() -> None:
    assert pytest.approx(log_ratio(pair(0.1))) == 0.1


@pytest.mark.parametrize("log", [0.0, 0.2])
def test_four_relaunches_decide_nothing(log: float) -> None:
    assert decided(relaunches(*[[log] * 15] * 4), RULE, 1) is None
    assert decided(relaunches(*[[log] * 15] * 5), RULE, 1) is not None


def test_a_relaunch_with_two_pairs_does_not_count() -> None:
    assert decided(relaunches(*[[0.0] * 14] * 4, [0.0] * 2), RULE, 1) is None


def test_a_rule_with_one_relaunch_measures_in_one_launch() -> None:
    rule = StoppingRule(most_pairs=12, fewest_relaunches=1)

    assert pairs_per_relaunch(rule, 1, 0) == 12
    assert is_complete([relaunches([0.2] * 7)], rule, 1)


def test_fail_wins_if_both_thresholds_are_reached() -> None:
    both = relaunches(*[[0.05] * 3] * 5)

    assert Verdict.FAIL is decided(both, RULE, 1)


def test_more_tests_need_more_evidence_to_fail() -> None:
    # Fifteen of fifteen give 65535/16 = 4096.
    fifteen = relaunches(*[[0.2] * 3] * 5)
    alone, among = decided(fifteen, RULE, 204), decided(fifteen, RULE, 205)

    assert (alone, among) == (Verdict.FAIL, None)


def test_evidence_is_the_largest_over_all_looks() -> None:
    pairs = relaunches([0.2] * 10 + [-0.2] * 50)

    # After ten pairs of ten beyond: 2^11/11 · (1 − 2^−11).
    assert pytest.approx(weigh(pairs, RULE).slower) == (2**11 - 1) / 11


def test_a_verdict_does_not_change_with_later_pairs() -> None:
    failed = relaunches(*[[0.2] * 3] * 5)
    passed = relaunches(*[[0.0] * 3] * 5)

    assert decided((*failed, *(pair(-0.1, 5) for _ in range(45))), RULE, 1) is Verdict.FAIL
    assert decided((*passed, *(pair(0.05, 5) for _ in range(45))), RULE, 1) is Verdict.PASS


@pytest.mark.parametrize("most_pairs", [15, 25, 28, 60])
def test_every_relaunch_has_enough_pairs(most_pairs: int) -> None:
    rule, relaunch, pairs = StoppingRule(most_pairs=most_pairs), 0, list[Pair]()
    while not is_complete([pairs], rule, 1):
        while True:
            # As many pairs are within the bound as leave the test undecided, so that one more could decide it.
            passes = weigh([*pairs, pair(-0.3)], rule).within >= rule.pass_threshold
            pairs.append(pair(0.3 if passes else -0.3, relaunch))
            if is_relaunch_complete([pairs], relaunch, rule, 1):
                break
        relaunch += 1
    counts = [sum(each.relaunch == number for each in pairs) for number in range(relaunch)]

    assert (min(counts) >= 3, len(counts) >= 5, sum(counts) <= most_pairs) == (True, True, True)
    assert sum(counts) == most_pairs or is_hopeless(pairs, rule)


def test_the_first_relaunches_share_the_pairs_of_the_fastest_verdict() -> None:
    # 250 tests need 5000, sixteen pairs of sixteen give 131071/17 = 7710: a fifth of them per relaunch, later a tenth
    # of 60.
    assert [pairs_per_relaunch(RULE, 250, relaunch) for relaunch in range(6)] == [4, 4, 4, 4, 6, 6]
    assert [pairs_per_relaunch(RULE, 4, relaunch) for relaunch in range(6)] == [3, 3, 3, 3, 6, 6]


def test_a_relaunch_is_complete_with_its_pairs() -> None:
    noise = [0.0, 0.3, -0.3]

    assert (
        is_relaunch_complete([relaunches(noise[:2])], 0, RULE, 4),
        is_relaunch_complete([relaunches(noise)], 0, RULE, 4),
    ) == (False, True)


def test_the_last_relaunch_goes_on_until_every_test_is_decided() -> None:
    undecided = relaunches(*[[0.0, 0.3, -0.3]] * 5)

    assert (is_relaunch_complete([SAME], 4, RULE, 1), is_relaunch_complete([SAME, undecided], 4, RULE, 1)) == (
        True,
        False,
    )


def test_a_cell_is_complete_with_its_last_pair() -> None:
    rule = StoppingRule(most_pairs=18)

    assert (is_complete([SAME[:9]], rule, 1), is_complete([SAME[:9] * 2], rule, 1)) == (False, True)


def test_a_cell_whose_relaunches_contradict_both_verdicts_needs_no_more_pairs() -> None:
    equal, slower, between = [0.0] * 3, [0.2] * 3, [0.05] * 3

    assert is_complete([relaunches(equal, slower)], RULE, 1)
    assert is_complete([relaunches(between, slower, equal)], RULE, 1)
    assert not is_complete([relaunches(equal, between)], RULE, 1)  # PASS is possible
    assert not is_complete([relaunches(slower, between)], RULE, 1)  # FAIL is possible
    assert not is_complete([relaunches(equal, slower), relaunches(equal, equal)], RULE, 2)


def test_the_launch_that_is_running_may_still_change_its_median() -> None:
    pairs = relaunches([0.0] * 3, [0.2] * 3)

    assert (is_hopeless(pairs, RULE, running=1), is_hopeless(pairs, RULE)) == (False, True)


def test_a_test_whose_evidence_cannot_grow_enough_is_hopeless() -> None:
    # Half of the pairs are beyond both limits, and the medians between them contradict neither verdict.
    few, many = (relaunches(*[[0.0, 0.15] * 2] * number) for number in (3, 13))

    assert (is_hopeless(few, RULE), is_hopeless(many, RULE)) == (False, True)
    (found,) = concluded(many)
    assert found.verdict is Verdict.INCONCLUSIVE


def test_a_repeated_launch_may_measure_more_pairs_than_planned() -> None:
    more = relaunches(*[[0.0, 0.15] * 2] * 16)  # 64 of 60

    assert (is_hopeless(more, RULE), is_relaunch_complete([more], 15, RULE, 1)) == (True, True)


def test_a_rule_that_only_estimates_is_never_hopeless() -> None:
    rule = StoppingRule(fewest_relaunches=2)

    assert not is_hopeless(relaunches([0.0] * 3, [0.2] * 3), rule)


def test_a_cell_without_pairs_is_not_complete() -> None:
    assert not is_complete([], RULE, 1)
