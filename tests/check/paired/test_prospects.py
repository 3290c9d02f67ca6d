from liecbench.check.paired.prospects import is_hopeless, why_no_fail, why_no_pass
from liecbench.check.paired.rule_settings import StoppingRule
from liecbench.check.verdict import Verdict
from tests.check.paired.made_pairs import RULE, concluded, relaunches


def test_the_launch_that_is_running_may_still_change_its_median() -> None:
    pairs = relaunches([0.0] * 3, [0.2] * 3)

    assert (is_hopeless(pairs, RULE, running=1), is_hopeless(pairs, RULE)) == (False, True)


def test_a_test_whose_evidence_cannot_grow_enough_is_hopeless() -> None:
    # Half of the pairs are beyond both limits, and the medians between them contradict neither verdict.
    few, many = (relaunches(*[[0.0, 0.15] * 2] * number) for number in (3, 13))

    assert (is_hopeless(few, RULE), is_hopeless(many, RULE)) == (False, True)
    (found,) = concluded(many)
    assert found.verdict is Verdict.INCONCLUSIVE


def test_a_rule_that_only_estimates_is_never_hopeless() -> None:
    rule = StoppingRule(fewest_relaunches=2)

    assert not is_hopeless(relaunches([0.0] * 3, [0.2] * 3), rule)


def test_a_finished_relaunch_rules_out_a_verdict() -> None:
    # exp(0.0) - 1, exp(0.2) - 1
    pairs = relaunches([0.0] * 3, [0.2] * 3)

    assert why_no_fail(pairs, RULE) == "FAIL needs more than 2 % in every relaunch, and relaunch 1 had +0.0%"
    assert why_no_pass(pairs, RULE) == "PASS needs less than 10 % in every relaunch, and relaunch 2 had +22.1%"
    assert (why_no_fail(pairs[3:], RULE), why_no_pass(pairs[:3], RULE)) == (None, None)


def test_too_few_remaining_pairs_rule_out_a_verdict() -> None:
    many = relaunches(*[[0.0, 0.15] * 2] * 13)

    assert why_no_fail(many, RULE) == "the pairs that were left could not have shown FAIL"
    assert why_no_pass(many, RULE) == "the pairs that were left could not have shown PASS"
