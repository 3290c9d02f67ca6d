"""The rule for when to stop measuring: when every test has a verdict, or when further pairs cannot lead to a verdict.

A pair is two mean step times, one on side A and one on side B. A test is one metric of one cell. A relaunch is one
launch of the ranks of both sides, in which pairs are measured.
"""

import math
import statistics
from collections.abc import Iterator, Sequence

from liecbench.check.paired import evidence
from liecbench.check.paired.rule_settings import FEWEST_PAIRS_PER_RELAUNCH, StoppingRule
from liecbench.check.verdict import Evidence, Pair, Verdict


def log_ratio(pair: Pair) -> float:
    """Return ln(``pair.b_seconds`` ÷ ``pair.a_seconds``), which is above 0 if side B is slower than side A."""
    return math.log(pair.b_seconds / pair.a_seconds)


def weigh(pairs: Sequence[Pair], rule: StoppingRule) -> Evidence:
    """Return the evidence of ``pairs`` for two claims on how much slower side B is than side A.

    One claim is that B is slower by more than ``rule.tolerance``, the other that B is slower by less than
    ``rule.bound``. After each pair, an E-value of each claim is computed from all pairs so far. The evidence for a
    claim is the largest of its E-values, or 1 if there are no pairs.
    """
    *_, last = [Evidence(slower=1.0, within=1.0), *_looks(pairs, rule)]
    return last


def _looks(pairs: Sequence[Pair], rule: StoppingRule) -> Iterator[Evidence]:
    """Yield the evidence of the first pair, of the first two pairs, and so on, each as ``weigh`` returns it."""
    num_slower = num_within = 0
    slower = within = 0.0
    for number, value in enumerate(map(log_ratio, pairs), start=1):
        num_slower += value > math.log1p(rule.tolerance)
        num_within += value < math.log1p(rule.bound)
        slower = max(slower, evidence.e_value(number, num_slower))
        within = max(within, evidence.e_value(number, num_within))
        yield Evidence(slower=slower, within=within)


def decided(pairs: Sequence[Pair], rule: StoppingRule, num_tests: int) -> Verdict | None:
    """Return the verdict on one test; None if the pairs do not suffice for a verdict yet.

    The first pair is judged, then the first two pairs, and so on, until there is a verdict. Every verdict needs enough
    launches with enough pairs, as ``has_enough_relaunches`` says. FAIL is tried before PASS:

    - FAIL: The evidence that the slowdown is above ``rule.tolerance`` is at least ``rule.fail_threshold(num_tests)``.
      In each launch, the median slowdown is above ``rule.tolerance``.
    - PASS: The evidence that the slowdown is below ``rule.bound`` is at least ``rule.pass_threshold``. In each launch,
      the median slowdown is below ``rule.bound``.

    If ``rule.can_decide`` is False, the verdict is INCONCLUSIVE instead of FAIL or PASS.

    The slowdown in a pair is (B's seconds ÷ A's seconds) − 1. ``weigh`` returns the evidence.

    Args:
        pairs: The pairs of the test, in the order in which they were measured.
        rule: The rule, with the thresholds and the needed number of launches.
        num_tests: The number of tests of the whole check. A FAIL needs more evidence if there are more tests.
    """
    for number, found in enumerate(_looks(pairs, rule), start=1):
        fails, passes = found.slower >= rule.fail_threshold(num_tests), found.within >= rule.pass_threshold
        if (fails or passes) and has_enough_relaunches(pairs[:number], rule):
            if fails and slower_in_each_relaunch(pairs[:number], rule):
                return Verdict.FAIL if rule.can_decide else Verdict.INCONCLUSIVE
            if passes and within_in_each_relaunch(pairs[:number], rule):
                return Verdict.PASS if rule.can_decide else Verdict.INCONCLUSIVE
    return None


def has_enough_relaunches(pairs: Sequence[Pair], rule: StoppingRule) -> bool:
    """Return True if the pairs come from enough launches for a verdict, and no launch has too few pairs.

    At least ``rule.fewest_relaunches`` launches are enough. A launch with fewer than ``FEWEST_PAIRS_PER_RELAUNCH``
    pairs has too few.
    """
    found = by_relaunch(pairs)
    return len(found) >= rule.fewest_relaunches and min(map(len, found)) >= FEWEST_PAIRS_PER_RELAUNCH


def is_hopeless(pairs: Sequence[Pair], rule: StoppingRule, running: int | None = None) -> bool:
    """Return True if further pairs of a test can bring neither PASS nor FAIL.

    A pair has one time of side A and one of side B. The slowdown in a pair is (B's seconds ÷ A's seconds) − 1. The
    evidence for FAIL is ``weigh(…).slower``. The evidence for PASS is ``weigh(…).within``.

    FAIL is impossible if one of these holds:

    - In at least one finished launch, the median slowdown is ``rule.tolerance`` or less.
    - The evidence for FAIL stays below 1 ÷ ``rule.alpha``, even if all remaining pairs support FAIL.

    PASS is impossible if one of these holds:

    - In at least one finished launch, the median slowdown is ``rule.bound`` or more.
    - The evidence for PASS stays below ``rule.pass_threshold``, even if all remaining pairs support PASS.

    The number of remaining pairs is ``rule.most_pairs`` minus the number of pairs so far, but at least 0.

    Return False if there are no pairs, or if ``rule.can_decide`` is False.

    Args:
        pairs: The pairs of the test so far.
        rule: The rule with thresholds, tolerance, bound and number of pairs.
        running: The number, from 0, of the launch that is still measuring pairs; None between launches. All other
            launches count as finished.
    """
    if not pairs or not rule.can_decide:
        return False
    over = [pair for pair in pairs if pair.relaunch != running]
    # A launch that was lost after its last pair is repeated, so there can be more pairs than planned.
    found, left = weigh(pairs, rule), max(0, rule.most_pairs - len(pairs))
    num_slower = sum(log_ratio(pair) > math.log1p(rule.tolerance) for pair in pairs)
    num_within = sum(log_ratio(pair) < math.log1p(rule.bound) for pair in pairs)
    most_slower = max(found.slower, evidence.largest_within_reach(len(pairs), num_slower, left))
    most_within = max(found.within, evidence.largest_within_reach(len(pairs), num_within, left))
    # Holm's procedure compares the last test with 1 ÷ alpha, the smallest threshold of FAIL.
    can_fail = most_slower >= 1 / rule.alpha and slower_in_each_relaunch(over, rule)
    can_pass = most_within >= rule.pass_threshold and within_in_each_relaunch(over, rule)
    return not can_fail and not can_pass


def is_complete(
    tests: Sequence[Sequence[Pair]], rule: StoppingRule, num_tests: int, running: int | None = None
) -> bool:
    """Return True if a cell needs no more pairs: all its tests are settled, or ``rule.most_pairs`` pairs are measured.

    A test is settled if it has a verdict, or if further pairs can bring neither PASS nor FAIL.

    Args:
        tests: For each test (metric) of the cell, the pairs in the order in which they were measured.
        rule: The rule.
        num_tests: The number of tests of the whole check, over all cells.
        running: The number, from 0, of the launch that is still measuring pairs; None between launches. Its median
            slowdown can still change, so that it does not rule out PASS or FAIL yet.
    """
    return bool(tests) and (
        len(tests[0]) >= rule.most_pairs
        or all(decided(pairs, rule, num_tests) or is_hopeless(pairs, rule, running) for pairs in tests)
    )


def is_relaunch_complete(tests: Sequence[Sequence[Pair]], relaunch: int, rule: StoppingRule, num_tests: int) -> bool:
    """Return True if a cell needs no more pairs from launch number ``relaunch``, counted from 0.

    Args:
        tests: For each test (metric) of the cell, the pairs so far from all launches, in the order of measurement.
        relaunch: The number of the launch.
        rule: The rule by which tests pass or fail.
        num_tests: The number of tests of the whole check, over all cells.
    """
    num_pairs = sum(pair.relaunch == relaunch for pair in tests[0])
    if num_pairs < FEWEST_PAIRS_PER_RELAUNCH:
        return False
    if all(is_hopeless(pairs, rule, relaunch) for pairs in tests):
        return True
    if relaunch >= rule.fewest_relaunches - 1 and is_complete(tests, rule, num_tests, relaunch):
        return True
    # If fewer pairs remain than another launch needs, this launch measures them as well.
    remaining = rule.most_pairs - len(tests[0])
    enough = num_pairs >= pairs_per_relaunch(rule, num_tests, relaunch)
    return enough and not 0 < remaining < FEWEST_PAIRS_PER_RELAUNCH


def pairs_per_relaunch(rule: StoppingRule, num_tests: int, relaunch: int) -> int:
    """Return the number of pairs of a cell to measure in launch number ``relaunch``, counted from 0.

    - Launches before number ``rule.fewest_relaunches`` − 1: the least number of pairs with which both FAIL and PASS are
      possible, divided by ``rule.fewest_relaunches`` and rounded up. At most ``rule.most_pairs`` divided by
      ``rule.fewest_relaunches`` and rounded down.
    - Later launches: ``rule.most_pairs`` divided by 2 · ``rule.fewest_relaunches`` (by 1 if ``rule.fewest_relaunches``
      is 1) and rounded up.

    No launch has fewer than ``FEWEST_PAIRS_PER_RELAUNCH`` pairs. For example, with the default rule and up to 100
    tests, launches 0 to 3 have 3 pairs each, and later launches 6.

    Args:
        rule: The rule.
        num_tests: The number of tests of the whole check. A FAIL needs more pairs if there are more tests.
        relaunch: The number of the launch.
    """
    if relaunch >= rule.fewest_relaunches - 1:
        parts = 2 * rule.fewest_relaunches if rule.fewest_relaunches > 1 else 1
        return max(FEWEST_PAIRS_PER_RELAUNCH, math.ceil(rule.most_pairs / parts))
    fewest = evidence.fewest_pairs(max(rule.fail_threshold(num_tests), rule.pass_threshold))
    share = min(math.ceil(fewest / rule.fewest_relaunches), rule.most_pairs // rule.fewest_relaunches)
    return max(FEWEST_PAIRS_PER_RELAUNCH, share)


def slower_in_each_relaunch(pairs: Sequence[Pair], rule: StoppingRule) -> bool:
    """Return True if, in every launch, side B's median slowdown against side A is above ``rule.tolerance``."""
    return all(statistics.median(values) > math.log1p(rule.tolerance) for values in by_relaunch(pairs))


def within_in_each_relaunch(pairs: Sequence[Pair], rule: StoppingRule) -> bool:
    """Return True if, in every launch, side B's median slowdown over the launch's pairs is below ``rule.bound``.

    The slowdown in a pair is (B's seconds ÷ A's seconds) − 1.
    """
    return all(statistics.median(values) < math.log1p(rule.bound) for values in by_relaunch(pairs))


def by_relaunch(pairs: Sequence[Pair]) -> list[list[float]]:
    """Return the log-ratio ln(B's seconds ÷ A's seconds) of each pair, in one list per launch of sides A and B."""
    return [[log_ratio(p) for p in pairs if p.relaunch == number] for number in sorted({p.relaunch for p in pairs})]
