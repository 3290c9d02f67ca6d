"""The rule for when to stop measuring: when every test has a verdict, or when further pairs cannot lead to a verdict.

A pair is two mean step times, one on side A and one on side B. A test is one metric of one cell. A relaunch is one
launch of the ranks of both sides, in which pairs are measured.
"""

import math
from collections.abc import Sequence

from liecbench.check.paired import evidence
from liecbench.check.paired.decision import decided
from liecbench.check.paired.prospects import is_hopeless
from liecbench.check.paired.rule_settings import FEWEST_PAIRS_PER_RELAUNCH, StoppingRule
from liecbench.check.verdict import Pair


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
