"""Conclude a paired check: give each test its result after the last pair has been measured."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from liecbench.check.paired import evidence
from liecbench.check.paired.decision import (
    Decision,
    by_relaunch,
    decided,
    has_enough_relaunches,
    log_ratio,
    slower_in_each_relaunch,
    weigh,
)
from liecbench.check.paired.prospects import why_no_fail, why_no_pass
from liecbench.check.paired.rule_settings import FEWEST_RELAUNCHES, StoppingRule
from liecbench.check.verdict import CheckResult, Pair, Verdict

_NOISY_RATIO, _NOISY_SHARE = 1.05, 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTest:
    """A test whether side B is slower than side A, for one metric of one cell.

    Attributes:
        cell: The cell's name.
        metric: The metric's name, such as ``step_seconds``.
        pairs: The pairs measured so far. Each pair has one measurement of A and one of B.
    """

    cell: str
    metric: str
    pairs: tuple[Pair, ...]


def conclude(tests: Sequence[PairedTest], rule: StoppingRule) -> list[CheckResult]:
    """Return the result of each test. ``tests`` are all tests of a check.

    The verdict on a test is what ``decided`` returns for the test's pairs. If ``decided`` returns None, the verdict is
    FAIL if all of the following hold, and INCONCLUSIVE otherwise:

    - Holm's procedure over all tests shows that side B is slower than the tolerance allows.
    - ``rule.can_decide`` is True, and the two sides were launched often enough, each time with enough pairs.
    - In each launch, the median slowdown of B is above the tolerance.
    """
    rejected = evidence.holm([weigh(test.pairs, rule).slower for test in tests], rule.alpha)
    return [_result(test, rule, len(tests), rejected=fails) for test, fails in zip(tests, rejected, strict=True)]


def _result(test: PairedTest, rule: StoppingRule, num_tests: int, *, rejected: bool) -> CheckResult:
    threshold = rule.fail_threshold(num_tests)
    decision = decided(test.pairs, rule, num_tests)
    if decision is None:
        enough = rule.can_decide and has_enough_relaunches(test.pairs, rule)
        fails = rejected and enough and slower_in_each_relaunch(test.pairs, rule)
        decision = Decision(verdict=Verdict.FAIL if fails else Verdict.INCONCLUSIVE, num_pairs=len(test.pairs))
    # Another test of the cell may need more pairs. Figures of later pairs could contradict the verdict.
    decisive = test.pairs if decision.verdict is Verdict.INCONCLUSIVE else test.pairs[: decision.num_pairs]
    values = [log_ratio(pair) for pair in decisive]
    detectable = evidence.smallest_detectable(values, rule.tolerance, threshold, rule.most_pairs)
    low, high = _interval(decisive, threshold, rule.pass_threshold)
    if decision.verdict is Verdict.FAIL:
        # Holm's procedure shows that a slowdown is above the tolerance with less evidence than ``threshold``.
        low = max(rule.tolerance, rule.tolerance if low is None else low)
    return CheckResult(
        cell=test.cell,
        metric=test.metric,
        verdict=decision.verdict,
        reason=_reason(decision.verdict, rule, test.pairs, high, detectable),
        baseline=statistics.median(pair.a_seconds for pair in decisive),
        current=statistics.median(pair.b_seconds for pair in decisive),
        change=math.expm1(statistics.median(values)),
        low=low,
        high=high,
        evidence=weigh(decisive, rule),
        smallest_detectable=detectable if math.isfinite(detectable) else None,
        noisy=is_noisy(decisive),
        pairs=test.pairs,
        decided_after=len(decisive) if len(decisive) < len(test.pairs) else None,
    )


def _interval(pairs: Sequence[Pair], fail_threshold: float, pass_threshold: float) -> tuple[float | None, float | None]:
    """Return a confidence interval of B's median slowdown, as (lower, upper). An end without enough pairs is None.

    The slowdown in a pair is B's seconds ÷ A's seconds − 1. The interval is widened until it contains, for each launch,
    the median slowdown of the launch's pairs.

    Args:
        pairs: The pairs of all launches.
        fail_threshold: The E-value with which a test fails. The true median lies below the interval with a probability
            of at most 1/``fail_threshold``.
        pass_threshold: The E-value with which a test passes. The true median lies above the interval with a probability
            of at most 1/``pass_threshold``.
    """
    low, high = evidence.interval([log_ratio(pair) for pair in pairs], fail_threshold, pass_threshold)
    # Launches differ more than the pairs of one launch do, so the interval is widened to the medians of all launches.
    # A verdict compares these medians with its limit, too.
    medians = _medians(pairs)
    return None if low is None else min(low, *medians), None if high is None else max(high, *medians)


def _medians(pairs: Sequence[Pair]) -> list[float]:
    """Return the median slowdown of each launch, in order."""
    return [math.expm1(statistics.median(values)) for values in by_relaunch(pairs)]


def _reason(verdict: Verdict, rule: StoppingRule, pairs: Sequence[Pair], high: float | None, detectable: float) -> str:
    tolerance, bound = f"{100 * rule.tolerance:g} %", f"{100 * rule.bound:g} %"
    match verdict:
        case Verdict.FAIL:
            return f"B is slower than A by more than {tolerance}, in every relaunch"
        case Verdict.PASS:
            most = "" if high is None else f"; the upper bound of the change is {high:+.1%}"
            return f"B is not slower than A by {bound} or more, in every relaunch{most}"
    if not rule.can_decide:
        return (
            f"a verdict needs {FEWEST_RELAUNCHES} relaunches, and --relaunches {rule.fewest_relaunches} was asked for"
        )
    smallest = f"the smallest slowdown that {rule.most_pairs} such pairs could have found is {detectable:.1%}"
    if not math.isfinite(detectable):
        smallest = f"{rule.most_pairs} pairs are too few for this number of tests"
    no_fail, no_pass = why_no_fail(pairs, rule), why_no_pass(pairs, rule)
    if len(pairs) < rule.most_pairs and no_fail is not None and no_pass is not None:
        ended = f"measuring ended after {len(pairs)} of {rule.most_pairs} pairs, as no verdict was possible any more"
        return f"{ended}: {no_fail}; {no_pass}; {smallest}"
    medians = _medians(pairs)
    spread = f"whose medians range from {min(medians):+.1%} to {max(medians):+.1%}"
    return f"neither slower than {tolerance} nor within {bound} is shown in every relaunch, {spread}; {smallest}"


def is_noisy(pairs: Sequence[Pair]) -> bool:
    """Return True if the ranks waited for a processor in over a fifth of the pairs.

    The ranks waited in a pair if their computing took over 5 % more wall time than CPU time.
    """
    waits = [pair.noise.get("wall_over_cpu", 1.0) > _NOISY_RATIO for pair in pairs]
    return sum(waits) > _NOISY_SHARE * len(waits)
