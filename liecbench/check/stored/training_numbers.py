"""Compare the compression error and the norm of the residuals over whole trainings with those of a baseline.

The mean change over seeds is compared with a margin. The change of a single training says little, because differences
of rounding grow from step to step.
"""

import statistics
from collections.abc import Sequence
from typing import Final, Literal

from liecbench.check.stored.baseline_cell import BaselineCell
from liecbench.check.stored.bound_verdict import ENOUGH_SEEDS
from liecbench.check.stored.early_numbers import NUMBERS_CHANGED
from liecbench.check.stored.matching import CellMatch
from liecbench.check.stored.seeds import seeds_text
from liecbench.check.verdict import CheckResult, Verdict
from liecbench.results.statistics import Estimate

Metric = Literal["compression_error", "residual_norm"]
METRICS: Final[tuple[Metric, ...]] = ("compression_error", "residual_norm")
_NAMES: Final = {"compression_error": "a compression error", "residual_norm": "an error memory"}


def num_tests(matches: Sequence[CellMatch]) -> int:
    """Return how many of ``METRICS`` are compared by a confidence interval: those that the baseline has for every seed.

    Return 0 if there are fewer than two seeds, because one seed gives no interval. ``matches`` has one entry per seed.
    """
    if len(matches) < 2:
        return 0
    return sum(all(_mean(match.baseline, metric) is not None for match in matches) for metric in METRICS)


def number_results(
    label: str, matches: Sequence[CellMatch], metric: Metric, *, margin: float, equal: float, level: float
) -> list[CheckResult]:
    """Compare a metric's mean over epochs with the baseline's, and return the verdict on the change.

    A seed's change is (its mean in the results − its mean in the baseline) ÷ the baseline's mean over all seeds. So the
    mean of the seeds' changes equals the relative change of the mean over all seeds.

    For example, two seeds have the means 0.2 and 0.4 in the baseline, and 0.23 and 0.4 in the results. The baseline's
    mean over both seeds is 0.3. The seeds' changes are 0.03 ÷ 0.3 = 10 % and 0 %, and the mean change is 5 %.

    Args:
        label: The cell's name.
        matches: For each seed of a configuration, the results' cell and the baseline's cell to compare it with.
        metric: The metric.
        margin: The allowed mean change, up or down, such as 0.1 for 10 %.
        equal: The largest change of a seed, up or down, that counts as no change, such as 0.001 for 0.1 %.
        level: Probability that a confidence bound is wrong.

    Returns:
        One result; an empty list if neither side has the metric. The verdict is the first that applies:

        - FAIL: In some epoch, only one side has the metric.
        - PASS: No seed changes by more than ``equal``.
        - FAIL: The confidence interval of the mean change is wholly above ``margin`` or wholly below −``margin``.
        - PASS: The interval is within ±``margin``.
        - INCONCLUSIVE: All other cases, such as a single seed.
    """
    for match in matches:
        for epoch, now in zip(match.baseline.epochs, match.current.epochs, strict=False):
            before, after = getattr(epoch, metric), getattr(now, metric)
            if (before is None) != (after is None):
                what = f"{'gained' if before is None else 'lost'} {_NAMES[metric]}"
                reason = f"seed {match.seed}: in epoch {epoch.epoch} the method has {what}; {NUMBERS_CHANGED}"
                return [_result(label, metric, Verdict.FAIL, reason, before, after)]
    sides = [(_mean(match.baseline, metric), _mean(match.current, metric)) for match in matches]
    known = [(old, new) for old, new in sides if old is not None and new is not None]
    if not known:
        return []
    old, new = (statistics.fmean(side) for side in zip(*known, strict=True))
    changes = [(after - before) / old if old else float(after != before) for before, after in known]
    mean, seeds = statistics.fmean(changes), seeds_text(len(changes))
    if max(map(abs, changes)) <= equal:
        return [_result(label, metric, Verdict.PASS, f"equal within {equal:.2%} with {seeds}", old, new, mean)]
    bounds = Estimate.of(changes, level)
    if bounds.low is None or bounds.high is None:
        reason = f"{mean:+.2%}; one seed gives no interval, run {ENOUGH_SEEDS}"
        return [_result(label, metric, Verdict.INCONCLUSIVE, reason, old, new, mean)]
    verdict, more = Verdict.INCONCLUSIVE, f", between {bounds.low:+.2%} and {bounds.high:+.2%}"
    if bounds.low > margin or bounds.high < -margin:
        verdict, more = Verdict.FAIL, f"; {NUMBERS_CHANGED}"
    elif -margin <= bounds.low and bounds.high <= margin:
        verdict = Verdict.PASS
    reason = f"{mean:+.2%} over {seeds}; ±{margin:.0%} allowed{more}"
    return [_result(label, metric, verdict, reason, old, new, mean, (bounds.low, bounds.high))]


def _mean(entry: BaselineCell, metric: Metric) -> float | None:
    """Return the metric's mean over the epochs that have it; None if no epoch has it."""
    values = [value for epoch in entry.epochs if (value := getattr(epoch, metric)) is not None]
    return statistics.fmean(values) if values else None


def _result(
    label: str,
    metric: Metric,
    verdict: Verdict,
    reason: str,
    baseline: float | None,
    current: float | None,
    change: float | None = None,
    bounds: tuple[float | None, float | None] = (None, None),
) -> CheckResult:
    return CheckResult(
        cell=label,
        metric=metric,
        verdict=verdict,
        reason=reason,
        baseline=baseline,
        current=current,
        change=change,
        low=bounds[0],
        high=bounds[1],
    )
