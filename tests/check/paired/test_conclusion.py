import math
import random

import pytest

from liecbench.check.paired.conclusion import PairedTest, conclude, is_noisy
from liecbench.check.paired.decision import decided, has_enough_relaunches
from liecbench.check.paired.rule_settings import StoppingRule
from liecbench.check.verdict import CheckResult, Pair, Verdict
from tests.check.paired.made_pairs import BETWEEN, SAME, SLOWER, concluded, pair, relaunches


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
    assert Verdict.PASS is concluded(relaunches(*[[-0.5] * 3] * 5))[0].verdict


def test_a_slowdown_in_some_relaunches_does_not_fail() -> None:
    lucky = relaunches([0.3] * 14, [0.3] * 14, [0.3] * 14, [0.3] * 14, [0.01] * 4)
    (found,) = concluded(lucky)

    assert found.evidence is not None
    assert (found.evidence.slower > 1000, found.verdict) == (True, Verdict.INCONCLUSIVE)


def test_a_relaunch_beyond_the_bound_does_not_pass() -> None:
    lucky = relaunches([0.0] * 12, [0.0] * 12, [0.0] * 12, [0.0] * 12, [0.1] * 12)
    (found,) = concluded(lucky)

    assert found.evidence is not None
    assert (found.evidence.within > 1000, found.verdict) == (True, Verdict.INCONCLUSIVE)


@pytest.mark.parametrize("log", [0.0, 0.2])
@pytest.mark.parametrize("fewest", [1, 3, 4])
def test_a_rule_with_fewer_than_five_relaunches_is_inconclusive(log: float, fewest: int) -> None:
    rule = StoppingRule(most_pairs=12, fewest_relaunches=fewest)
    pairs = relaunches(*[[log] * (12 // fewest)] * fewest)
    (found,) = conclude([PairedTest(cell="", metric="step_seconds", pairs=pairs)], rule)

    assert (found.verdict, found.reason) == (
        Verdict.INCONCLUSIVE,
        f"a verdict needs 5 relaunches, and --relaunches {fewest} was asked for",
    )


def test_the_reason_of_a_pass_has_the_upper_bound() -> None:
    # No relaunch's median may be above the upper bound: the largest is 0.002.
    (found,) = concluded(SAME)

    assert found.high == pytest.approx(math.expm1(0.002))
    assert found.reason == (
        "B is not slower than A by 10 % or more, in every relaunch; the upper bound of the change is +0.2%"
    )


def test_an_inconclusive_result_tells_how_relaunches_differ() -> None:
    # Between both verdicts until the 60th pair. exp(-0.01) - 1 and exp(0.3) - 1
    (found,) = concluded(relaunches([0.0] * 12, [-0.01] * 12, [0.0] * 12, [0.3] * 12, [0.0] * 12))

    assert found.verdict is Verdict.INCONCLUSIVE
    assert "in every relaunch, whose medians range from -1.0% to +35.0%; " in found.reason


def test_the_interval_contains_the_median_of_every_relaunch() -> None:
    (found,) = concluded(relaunches([-0.04] * 3, *[[0.0] * 19] * 3, [0.07] * 3))

    assert (found.low, found.high) == pytest.approx((math.expm1(-0.04), math.expm1(0.07)))


def test_holm_fails_a_second_test_that_bonferroni_would_not() -> None:
    # Twelve of fifteen, the odd ones first: 2^16/(16·455) · P(Bin(16, ½) ≤ 12) = 8.9, as P is 64839/65536. With α = 0.2
    # that is between 1/α = 5 and 2/α = 10.
    rule = StoppingRule(alpha=0.2)
    strong = relaunches(*[[0.2] * 3] * 5)
    weak = relaunches([-0.2, 0.2, 0.2], [-0.2, 0.2, 0.2], [-0.2, 0.2, 0.2], [0.2] * 3, [0.2] * 3)
    tests = [PairedTest(cell=str(n), metric="step_seconds", pairs=pairs) for n, pairs in enumerate((strong, weak))]

    assert [found.verdict for found in conclude(tests, rule)] == [Verdict.FAIL, Verdict.FAIL]
    assert decided(weak, rule, 2) is None


def test_a_relaunch_with_two_pairs_fails_nothing() -> None:
    (found,) = concluded(relaunches(*[[0.2] * 14] * 4, [0.2] * 2))

    assert found.verdict is Verdict.INCONCLUSIVE


def test_an_inconclusive_result_tells_the_smallest_detectable_slowdown() -> None:
    chance = random.Random(3)
    noise = [[chance.gauss(0.09, 0.3) for _ in range(12)] for _ in range(5)]
    (found,) = concluded(relaunches(*noise))

    assert Verdict.INCONCLUSIVE is found.verdict
    assert found.smallest_detectable is not None
    assert f"{found.smallest_detectable:.1%}" in found.reason


def test_the_lower_bound_is_lower_for_more_tests() -> None:
    (alone,), (among, _) = concluded(BETWEEN), concluded(BETWEEN, SAME)
    wide = relaunches(*([(30 * n + r) / 1000 for n in (-1, 0, 1)] for r in range(5)))
    (narrow,), (wider, *_) = concluded(wide), concluded(wide, *[SAME] * 5)

    assert (alone.low, alone.high) == pytest.approx((among.low, among.high))
    assert narrow.low is not None
    assert wider.low is not None
    assert wider.low < narrow.low
    assert wider.high == narrow.high


def test_a_check_that_ends_early_says_why() -> None:
    (found,) = concluded(relaunches([0.0] * 3, [0.2] * 3))

    assert (found.verdict, found.reason.partition("; the smallest slowdown")[0]) == (
        Verdict.INCONCLUSIVE,
        "measuring ended after 6 of 60 pairs, as no verdict was possible any more: "
        "FAIL needs more than 2 % in every relaunch, and relaunch 1 had +0.0%; "
        "PASS needs less than 10 % in every relaunch, and relaunch 2 had +22.1%",
    )


def test_a_check_of_all_its_pairs_did_not_end_early() -> None:
    (found,) = concluded(relaunches(*[[0.0] * 12, [0.2] * 12], *[[0.1] * 12] * 3))

    assert found.reason.startswith("neither slower than 2 % nor within 10 % is shown in every relaunch, ")


def test_the_figures_of_a_verdict_are_those_of_its_pairs() -> None:
    later = tuple(pair(0.3, 5) for _ in range(45))
    (found,) = concluded((*SAME, *later))

    assert (found.verdict, found.decided_after, len(found.pairs)) == (Verdict.PASS, 15, 60)
    assert (found.change, found.high) == pytest.approx((0.0, math.expm1(0.002)))
    assert concluded(SAME)[0].decided_after is None


def test_evidence_noise_and_detectable_slowdown_of_a_verdict_are_those_of_its_pairs() -> None:
    later = tuple(pair(0.3, 5, wall_over_cpu=2.0) for _ in range(45))
    (alone,), (longer,) = concluded(SAME), concluded((*SAME, *later))

    assert alone.verdict is Verdict.PASS
    assert (longer.evidence, longer.smallest_detectable) == (alone.evidence, alone.smallest_detectable)
    assert (longer.noisy, is_noisy(longer.pairs)) == (False, True)


def test_figures_without_a_verdict_are_those_of_all_pairs() -> None:
    rule = StoppingRule(most_pairs=12, fewest_relaunches=1)
    pairs = relaunches([0.0] * 12 + [0.3] * 48)
    (found,) = conclude([PairedTest(cell="", metric="step_seconds", pairs=pairs)], rule)

    assert decided(pairs, rule, 1) is not None
    assert (found.verdict, found.decided_after) == (Verdict.INCONCLUSIVE, None)
    assert found.change == pytest.approx(math.expm1(0.3))


def noisy_pairs(chance: random.Random) -> tuple[Pair, ...]:
    """Return pairs of some launches, with a slowdown between -2 % and +14 % and noise of any size up to 8 %."""
    slowdown, launch_noise, noise = chance.uniform(-0.02, 0.14), chance.uniform(0, 0.05), chance.uniform(0, 0.08)
    centres = [chance.gauss(slowdown, launch_noise) for _ in range(chance.randint(4, 8))]
    return relaunches(*([chance.gauss(centre, noise) for _ in range(chance.randint(3, 8))] for centre in centres))


def contradicts(found: CheckResult, rule: StoppingRule) -> bool:
    """Return True if the interval of a result says something else than its verdict."""
    low, high = (-math.inf if found.low is None else found.low), (math.inf if found.high is None else found.high)
    assert found.change is not None
    if not low <= found.change <= high:
        return True
    match found.verdict:
        case Verdict.PASS:
            return low > rule.tolerance or high >= rule.bound
        case Verdict.FAIL:
            return low < rule.tolerance
    return has_enough_relaunches(found.pairs, rule) and (low > rule.tolerance or high < rule.bound)


@pytest.mark.parametrize("seed", range(300))
def test_no_interval_contradicts_its_verdict(seed: int) -> None:
    chance = random.Random(seed)
    rule = StoppingRule(bound=chance.choice((0.05, 0.10)), alpha=chance.choice((0.05, 0.2)))
    tests = [
        PairedTest(cell=str(number), metric="step_seconds", pairs=noisy_pairs(chance))
        for number in range(chance.randint(1, 8))
    ]

    assert [found for found in conclude(tests, rule) if contradicts(found, rule)] == []


def test_the_simulated_checks_have_all_verdicts() -> None:
    chance = random.Random(0)
    found = conclude(
        [PairedTest(cell=str(n), metric="step_seconds", pairs=noisy_pairs(chance)) for n in range(40)], StoppingRule()
    )

    assert {each.verdict for each in found} == {Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE}


@pytest.mark.parametrize(("waiting", "expected"), [(2, False), (3, True)])
def test_a_cell_is_noisy_if_more_than_a_fifth_of_its_pairs_waited(waiting: int, expected: bool) -> None:
    pairs = [pair(0.0, wall_over_cpu=1.06 if n < waiting else 1.04) for n in range(10)]

    assert expected is is_noisy(pairs)
