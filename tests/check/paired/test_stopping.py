import math
import random
from collections.abc import Sequence

import pytest

from liecbench.check.paired.rule_settings import StoppingRule
from liecbench.check.paired.stopping import (
    PairedTest,
    conclude,
    decided,
    is_complete,
    is_noisy,
    is_relaunch_complete,
    log_ratio,
    pairs_per_relaunch,
    weigh,
)
from liecbench.check.verdict import CheckResult, Pair, Verdict

RULE = StoppingRule()


def pair(log: float, relaunch: int = 0, wall_over_cpu: float = 1.0) -> Pair:
    noise = {"wall_over_cpu": wall_over_cpu}
    return Pair(relaunch=relaunch, order="AB", a_seconds=2.0, b_seconds=2.0 * math.exp(log), noise=noise)


def relaunches(*logs: Sequence[float]) -> tuple[Pair, ...]:
    return tuple(pair(log, number) for number, values in enumerate(logs) for log in values)


def concluded(*pairs: tuple[Pair, ...]) -> list[CheckResult]:
    return conclude(
        [PairedTest(cell=f"cell {n}", metric="step_seconds", pairs=each) for n, each in enumerate(pairs)], RULE
    )


SAME = relaunches([0.0] * 4, [0.001] * 4, [-0.001] * 4)
SLOWER = relaunches([0.1] * 4, [0.11] * 4, [0.12] * 4)
BETWEEN = relaunches([0.05] * 20, [0.05] * 20, [0.05] * 20)


def test_a_log_ratio_is_ln_b_over_a() -> None:
    assert pytest.approx(log_ratio(pair(0.1))) == 0.1


def test_identical_sides_pass() -> None:
    (found,) = concluded(SAME)

    assert found.verdict is Verdict.PASS
    assert found.change == pytest.approx(0, abs=0.001)


def test_a_slowdown_in_every_relaunch_fails() -> None:
    (found,) = concluded(SLOWER)

    assert Verdict.FAIL is found.verdict
    assert math.expm1(0.11) == pytest.approx(found.change)
    assert (2.0, 2.0 * math.exp(0.11)) == pytest.approx((found.baseline, found.current))


def test_a_faster_side_passes() -> None:
    assert Verdict.PASS is concluded(relaunches([-0.5] * 4, [-0.5] * 4, [-0.5] * 4))[0].verdict


def test_a_slowdown_in_some_relaunches_does_not_fail() -> None:
    lucky = relaunches([0.3] * 20, [0.3] * 20, [0.01] * 4)
    (found,) = concluded(lucky)

    assert found.evidence is not None
    assert (found.evidence.slower > 1000, found.verdict) == (True, Verdict.INCONCLUSIVE)


def test_two_relaunches_decide_nothing() -> None:
    assert decided(relaunches([0.0] * 20, [0.0] * 20), RULE, 1) is None


def test_a_relaunch_with_two_pairs_does_not_count() -> None:
    assert decided(relaunches([0.0] * 20, [0.0] * 20, [0.0] * 2), RULE, 1) is None


def test_with_one_relaunch_one_launch_decides() -> None:
    rule = StoppingRule(most_pairs=12, fewest_relaunches=1)

    assert decided(relaunches([0.2] * 7), rule, 1) is Verdict.FAIL
    assert decided(relaunches([0.0] * 7), rule, 1) is Verdict.PASS
    assert pairs_per_relaunch(rule, 1, 0) == 12


def test_with_five_relaunches_four_decide_nothing() -> None:
    rule = StoppingRule(fewest_relaunches=5)

    assert decided(relaunches(*[[0.2] * 5] * 4), rule, 1) is None
    assert decided(relaunches(*[[0.2] * 5] * 5), rule, 1) is Verdict.FAIL


def test_fail_wins_if_both_thresholds_are_reached() -> None:
    both = relaunches([0.05] * 5, [0.05] * 5, [0.05] * 5)

    assert Verdict.FAIL is decided(both, RULE, 1)


def test_more_tests_need_more_evidence_to_fail() -> None:
    seven = relaunches([0.2] * 3, [0.2] * 3, [0.2] * 3)
    alone, among = decided(seven, RULE, 1), decided(seven, RULE, 10)

    assert (alone, among) == (Verdict.FAIL, None)


def test_evidence_is_the_largest_over_all_looks() -> None:
    pairs = relaunches([0.2] * 10 + [-0.2] * 50)

    # After ten pairs of ten beyond: 2^11/11 · (1 − 2^−11).
    assert pytest.approx(weigh(pairs, RULE).slower) == (2**11 - 1) / 11


def test_holm_fails_a_second_test_that_bonferroni_would_not() -> None:
    # Ten of eleven, the odd one first: 4083/132 is 30.9, between 1/α = 20 and 2/α = 40.
    strong, weak = relaunches([0.2] * 5, [0.2] * 5, [0.2] * 5), relaunches([-0.2, 0.2, 0.2, 0.2], [0.2] * 4, [0.2] * 3)

    assert [found.verdict for found in concluded(strong, weak)] == [Verdict.FAIL, Verdict.FAIL]
    assert decided(weak, RULE, 2) is None


def test_a_verdict_does_not_change_with_later_pairs() -> None:
    failed = relaunches([0.2] * 4, [0.2] * 4, [0.2] * 4)
    passed = relaunches([0.0] * 4, [0.0] * 4, [0.0] * 4)

    assert decided((*failed, *(pair(-0.1, 3) for _ in range(48))), RULE, 1) is Verdict.FAIL
    assert decided((*passed, *(pair(0.05, 3) for _ in range(48))), RULE, 1) is Verdict.PASS


def test_a_relaunch_with_two_pairs_fails_nothing() -> None:
    (found,) = concluded(relaunches([0.2] * 20, [0.2] * 20, [0.2] * 2))

    assert found.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("most_pairs", [9, 25, 28, 60])
def test_every_relaunch_has_enough_pairs(most_pairs: int) -> None:
    rule, relaunch = StoppingRule(most_pairs=most_pairs), 0
    undecidable, pairs = [0.3, -0.3], list[Pair]()
    while not is_complete([pairs], rule, 1):
        while True:
            pairs.append(pair(undecidable[len(pairs) % 2], relaunch))
            if is_relaunch_complete([pairs], relaunch, rule, 1):
                break
        relaunch += 1
    counts = [sum(each.relaunch == number for each in pairs) for number in range(relaunch)]

    assert (sum(counts), min(counts) >= 3, len(counts) >= 3) == (most_pairs, True, True)


def test_an_inconclusive_result_tells_the_smallest_detectable_slowdown() -> None:
    chance = random.Random(3)
    noise = [[chance.gauss(0.09, 0.3) for _ in range(20)] for _ in range(3)]
    (found,) = concluded(relaunches(*noise))

    assert Verdict.INCONCLUSIVE is found.verdict
    assert found.smallest_detectable is not None
    assert f"{found.smallest_detectable:.1%}" in found.reason


def test_the_interval_is_wider_for_more_tests() -> None:
    (alone,), (among, _) = concluded(BETWEEN), concluded(BETWEEN, SAME)
    wide = relaunches(*([(3 * n + r) / 1000 for n in range(20)] for r in range(3)))
    (narrow,), (wider, *_) = concluded(wide), concluded(wide, *[SAME] * 5)

    assert (alone.low, alone.high) == pytest.approx((among.low, among.high))
    assert narrow.low is not None
    assert wider.low is not None
    assert wider.low < narrow.low


def test_the_first_relaunches_share_the_pairs_of_the_fastest_verdict() -> None:
    # Four tests need 80, nine pairs of nine give 102: a third of them per relaunch, then more until it is decided.
    assert [pairs_per_relaunch(RULE, 4, relaunch) for relaunch in range(4)] == [3, 3, 10, 10]


def test_a_relaunch_is_complete_with_its_pairs() -> None:
    noise = [0.0, 0.3, -0.3]

    assert (
        is_relaunch_complete([relaunches(noise[:2])], 0, RULE, 4),
        is_relaunch_complete([relaunches(noise)], 0, RULE, 4),
    ) == (False, True)


def test_the_last_relaunch_goes_on_until_every_test_is_decided() -> None:
    undecided = relaunches([0.0, 0.3, -0.3], [0.0, 0.3, -0.3], [0.0, 0.3, -0.3])

    assert (is_relaunch_complete([SAME], 2, RULE, 1), is_relaunch_complete([SAME, undecided], 2, RULE, 1)) == (
        True,
        False,
    )


def test_a_cell_is_complete_with_its_last_pair() -> None:
    noise = [0.3, -0.3] * 10

    assert (
        is_complete([relaunches(noise, noise)], RULE, 1),
        is_complete([relaunches(noise, noise, noise)], RULE, 1),
    ) == (False, True)


def test_a_cell_without_pairs_is_not_complete() -> None:
    assert not is_complete([], RULE, 1)


@pytest.mark.parametrize(("waiting", "expected"), [(2, False), (3, True)])
def test_a_cell_is_noisy_if_more_than_a_fifth_of_its_pairs_waited(waiting: int, expected: bool) -> None:
    pairs = [pair(0.0, wall_over_cpu=1.06 if n < waiting else 1.04) for n in range(10)]

    assert expected is is_noisy(pairs)
