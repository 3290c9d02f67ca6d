"""The rule for the verdict on one test, from the pairs that were measured.

A pair is two mean step times, one on side A and one on side B. A test is one metric of one cell. A relaunch is one
launch of the ranks of both sides, in which pairs are measured.
"""

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from liecbench.check.paired import evidence
from liecbench.check.paired.rule_settings import FEWEST_PAIRS_PER_RELAUNCH, StoppingRule
from liecbench.check.verdict import Evidence, Pair, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The verdict on a test, and the number of pairs after which it was known. Later pairs do not change it."""

    verdict: Verdict
    num_pairs: int


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


def decided(pairs: Sequence[Pair], rule: StoppingRule, num_tests: int) -> Decision | None:
    """Return the decision on one test; None if the pairs do not suffice for a verdict yet.

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
                return Decision(verdict=Verdict.FAIL if rule.can_decide else Verdict.INCONCLUSIVE, num_pairs=number)
            if passes and within_in_each_relaunch(pairs[:number], rule):
                return Decision(verdict=Verdict.PASS if rule.can_decide else Verdict.INCONCLUSIVE, num_pairs=number)
    return None


def has_enough_relaunches(pairs: Sequence[Pair], rule: StoppingRule) -> bool:
    """Return True if the pairs come from enough launches for a verdict, and no launch has too few pairs.

    At least ``rule.fewest_relaunches`` launches are enough. A launch with fewer than ``FEWEST_PAIRS_PER_RELAUNCH``
    pairs has too few.
    """
    found = by_relaunch(pairs)
    return len(found) >= rule.fewest_relaunches and min(map(len, found)) >= FEWEST_PAIRS_PER_RELAUNCH


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
