"""The outcome of a finished paired comparison: verdicts, failed cells and settings, for the output formats."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from liecbench.check.paired.conclusion import conclude
from liecbench.check.paired.pair_sampler import MOST_ATTEMPTS, MeasuredCase
from liecbench.check.paired.rule_settings import StoppingRule
from liecbench.check.paired.session import PairedComparison
from liecbench.check.paired.traffic import traffic_results, ungated_metrics
from liecbench.check.verdict import CheckResult, FailedCell, Outcome, Verdict


def outcome(comparison: PairedComparison, rule: StoppingRule, settings: Mapping[str, Any]) -> Outcome:
    """Return the outcome of a finished comparison of two sides, A and B.

    A difference in bytes or messages can fail the check only if A and B ran equal cells.

    Args:
        comparison: The finished comparison.
        rule: The rule that decides on each metric of each case.
        settings: Settings of the check, to report with the outcome.
    """
    measured = comparison.measured
    last = [(each.case, *each.last) for each in measured if each.last is not None]
    traffic = [result for case, a, b in last if case.a == case.b for result in traffic_results(case.label, a, b)]
    timed = conclude([test for each in measured for test in each.tests()], rule)
    given_up = {each.case.label for each in measured if each.is_given_up}
    return Outcome(
        results=(*traffic, *(_unless_given_up(given_up, result) for result in timed), *_not_compared(measured)),
        ungated=tuple(each for case, a, b in last for each in ungated_metrics(case.label, a, b, same=case.a == case.b)),
        failed_cells=tuple(
            FailedCell(cell=each.case.label, reason=each.failures[-1])
            for each in measured
            if len(each.failures) >= MOST_ATTEMPTS
        ),
        settings={**settings, "cells": {each.case.label: _described(each) for each in measured}},
    )


def _unless_given_up(given_up: Collection[str], result: CheckResult) -> CheckResult:
    """Return ``result``, with the verdict INCONCLUSIVE if ``given_up`` has the name of the result's cell."""
    if result.cell not in given_up:
        return result
    return replace(result, verdict=Verdict.INCONCLUSIVE, reason="the cell failed before its last pair")


def _not_compared(measured: Collection[MeasuredCase]) -> Iterator[CheckResult]:
    for each in measured:
        if each.unknown is not None:
            reason = f"one side cannot build the cell: {each.unknown}"
            yield CheckResult(cell=each.case.label, metric="status", verdict=Verdict.NOT_COMPARED, reason=reason)


def _described(measured: MeasuredCase) -> dict[str, Any]:
    case = measured.case
    return {"a": case.a.spec(), "b": case.b.spec(), "environments": measured.environments}
