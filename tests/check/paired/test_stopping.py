import pytest

from liecbench.check.paired.decision import weigh
from liecbench.check.paired.prospects import is_hopeless
from liecbench.check.paired.rule_settings import StoppingRule
from liecbench.check.paired.stopping import is_complete, is_relaunch_complete, pairs_per_relaunch
from liecbench.check.verdict import Pair
from tests.check.paired.made_pairs import RULE, SAME, pair, relaunches


def test_a_rule_with_one_relaunch_measures_in_one_launch() -> None:
    rule = StoppingRule(most_pairs=12, fewest_relaunches=1)

    assert pairs_per_relaunch(rule, 1, 0) == 12
    assert is_complete([relaunches([0.2] * 7)], rule, 1)


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


def test_a_repeated_launch_may_measure_more_pairs_than_planned() -> None:
    more = relaunches(*[[0.0, 0.15] * 2] * 16)  # 64 of 60

    assert (is_hopeless(more, RULE), is_relaunch_complete([more], 15, RULE, 1)) == (True, True)


def test_a_cell_without_pairs_is_not_complete() -> None:
    assert not is_complete([], RULE, 1)
