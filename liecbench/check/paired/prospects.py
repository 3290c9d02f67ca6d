"""Reasons why further pairs of a test can bring neither FAIL nor PASS, if that is so.

A pair is two mean step times, one on side A and one on side B. A test is one metric of one cell. A relaunch is one
launch of the ranks of both sides, in which pairs are measured.
"""

import math
import statistics
from collections.abc import Sequence

from liecbench.check.paired import evidence
from liecbench.check.paired.decision import by_relaunch, log_ratio, weigh
from liecbench.check.paired.rule_settings import StoppingRule
from liecbench.check.verdict import Pair


def is_hopeless(pairs: Sequence[Pair], rule: StoppingRule, running: int | None = None) -> bool:
    """Return True if further pairs of a test can bring neither PASS nor FAIL.

    Return False if there are no pairs, or if ``rule.can_decide`` is False.

    Args:
        pairs: The pairs of the test so far.
        rule: The rule with thresholds, tolerance, bound and number of pairs.
        running: The number, from 0, of the launch that is still measuring pairs; None between launches. All other
            launches count as finished.
    """
    if not pairs or not rule.can_decide:
        return False
    return None not in (why_no_fail(pairs, rule, running), why_no_pass(pairs, rule, running))


def why_no_fail(pairs: Sequence[Pair], rule: StoppingRule, running: int | None = None) -> str | None:
    """Return the reason why further pairs of a test cannot bring FAIL; None if they can.

    There are two possible reasons:

    - In at least one finished launch, the median slowdown is ``rule.tolerance`` or less.
    - The evidence for FAIL, ``weigh(…).slower``, stays below 1 ÷ ``rule.alpha``, even if all remaining pairs support
      FAIL. The number of remaining pairs is ``rule.most_pairs`` minus the number of pairs so far, but at least 0.

    The slowdown in a pair is (B's seconds ÷ A's seconds) − 1. The arguments are those of ``is_hopeless``.
    """
    limit = math.log1p(rule.tolerance)
    for number, median in _finished_medians(pairs, running):
        if median <= limit:
            needed = f"more than {100 * rule.tolerance:g} % in every relaunch"
            return f"FAIL needs {needed}, and relaunch {number + 1} had {math.expm1(median):+.1%}"
    beyond = sum(log_ratio(pair) > limit for pair in pairs)
    # Holm's procedure compares the last test with 1 ÷ alpha, the smallest threshold of FAIL.
    if _most_evidence(pairs, weigh(pairs, rule).slower, beyond, rule) < 1 / rule.alpha:
        return "the pairs that were left could not have shown FAIL"
    return None


def why_no_pass(pairs: Sequence[Pair], rule: StoppingRule, running: int | None = None) -> str | None:
    """Return the reason why further pairs of a test cannot bring PASS; None if they can.

    There are two possible reasons:

    - In at least one finished launch, the median slowdown is ``rule.bound`` or more.
    - The evidence for PASS, ``weigh(…).within``, stays below ``rule.pass_threshold``, even if all remaining pairs
      support PASS. ``why_no_fail`` explains their number.

    The slowdown in a pair is (B's seconds ÷ A's seconds) − 1. The arguments are those of ``is_hopeless``.
    """
    limit = math.log1p(rule.bound)
    for number, median in _finished_medians(pairs, running):
        if median >= limit:
            needed = f"less than {100 * rule.bound:g} % in every relaunch"
            return f"PASS needs {needed}, and relaunch {number + 1} had {math.expm1(median):+.1%}"
    within = sum(log_ratio(pair) < limit for pair in pairs)
    if _most_evidence(pairs, weigh(pairs, rule).within, within, rule) < rule.pass_threshold:
        return "the pairs that were left could not have shown PASS"
    return None


def _finished_medians(pairs: Sequence[Pair], running: int | None) -> list[tuple[int, float]]:
    """Return (number of the launch, median log-ratio of its pairs) for each launch but ``running``, in order."""
    finished = [pair for pair in pairs if pair.relaunch != running]
    numbers = sorted({pair.relaunch for pair in finished})
    return list(zip(numbers, map(statistics.median, by_relaunch(finished)), strict=True))


def _most_evidence(pairs: Sequence[Pair], found: float, num_beyond: int, rule: StoppingRule) -> float:
    """Return the largest E-value that a claim can have after all pairs.

    Args:
        pairs: The pairs so far.
        found: The largest E-value of the claim so far.
        num_beyond: The number of pairs so far that support the claim.
        rule: The rule with the largest number of pairs.
    """
    # A launch that was lost after its last pair is repeated, so there can be more pairs than planned.
    left = max(0, rule.most_pairs - len(pairs))
    return max(found, evidence.largest_within_reach(len(pairs), num_beyond, left))
