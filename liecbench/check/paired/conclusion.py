"""Conclude a paired check: give each test its result after the last pair has been measured."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from liecbench.check.paired import evidence
from liecbench.check.paired.rule_settings import FEWEST_RELAUNCHES, StoppingRule
from liecbench.check.paired.stopping import (
    by_relaunch,
    decided,
    has_enough_relaunches,
    log_ratio,
    slower_in_each_relaunch,
    weigh,
)
from liecbench.check.verdict import CheckResult, Evidence, Pair, Verdict

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
    found = [weigh(test.pairs, rule) for test in tests]
    rejected = evidence.holm([each.slower for each in found], rule.alpha)
    return [
        _result(test, rule, len(tests), each, rejected=fails)
        for test, each, fails in zip(tests, found, rejected, strict=True)
    ]


def _result(test: PairedTest, rule: StoppingRule, num_tests: int, found: Evidence, *, rejected: bool) -> CheckResult:
    values = [log_ratio(pair) for pair in test.pairs]
    threshold = rule.fail_threshold(num_tests)
    low, high = _interval(test.pairs, threshold)
    detectable = evidence.smallest_detectable(values, rule.tolerance, threshold, rule.most_pairs)
    verdict = decided(test.pairs, rule, num_tests)
    if verdict is None:
        enough = rule.can_decide and has_enough_relaunches(test.pairs, rule)
        fails = rejected and enough and slower_in_each_relaunch(test.pairs, rule)
        verdict = Verdict.FAIL if fails else Verdict.INCONCLUSIVE
    return CheckResult(
        cell=test.cell,
        metric=test.metric,
        verdict=verdict,
        reason=_reason(verdict, rule, test.pairs, high, detectable),
        baseline=statistics.median(pair.a_seconds for pair in test.pairs),
        current=statistics.median(pair.b_seconds for pair in test.pairs),
        change=math.expm1(statistics.median(values)),
        low=low,
        high=high,
        evidence=found,
        smallest_detectable=detectable if math.isfinite(detectable) else None,
        noisy=is_noisy(test.pairs),
        pairs=test.pairs,
    )


def _interval(pairs: Sequence[Pair], threshold: float) -> tuple[float | None, float | None]:
    """Return a confidence interval of B's median slowdown, as (lower, upper); (None, None) if there are too few pairs.

    The slowdown in a pair is B's seconds ÷ A's seconds − 1. The interval is widened until it contains, for each launch,
    the median slowdown of the launch's pairs.

    Args:
        pairs: The pairs of all launches.
        threshold: Sets the confidence. The true median lies below the interval with a probability of at most
            1/``threshold``, and above it with a probability of at most 1/``threshold``.
    """
    bounds = evidence.interval([log_ratio(pair) for pair in pairs], threshold)
    if bounds is None:
        return None, None
    # Launches differ more than the pairs of one launch do, so the interval is widened to the medians of all launches.
    medians = [math.expm1(statistics.median(values)) for values in by_relaunch(pairs)]
    return min(bounds[0], *medians), max(bounds[1], *medians)


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
    smallest = f"the smallest slowdown that this check could have found is {detectable:.1%}"
    if not math.isfinite(detectable):
        smallest = f"{rule.most_pairs} pairs are too few for this number of tests"
    medians = [math.expm1(statistics.median(values)) for values in by_relaunch(pairs)]
    spread = f"whose medians range from {min(medians):+.1%} to {max(medians):+.1%}"
    return f"neither slower than {tolerance} nor within {bound} is shown in every relaunch, {spread}; {smallest}"


def is_noisy(pairs: Sequence[Pair]) -> bool:
    """Return True if the ranks waited for a processor in over a fifth of the pairs.

    The ranks waited in a pair if their computing took over 5 % more wall time than CPU time.
    """
    waits = [pair.noise.get("wall_over_cpu", 1.0) > _NOISY_RATIO for pair in pairs]
    return sum(waits) > _NOISY_SHARE * len(waits)
