"""Compare the accuracy and loss that cells reach with those of a baseline, seed by seed."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from liecbench.check.stored.bound_verdict import ENOUGH_SEEDS, BoundVerdict, decide
from liecbench.check.stored.matching import CellMatch
from liecbench.check.verdict import CheckResult, Verdict
from liecbench.results.accuracy_verdict import LOSS_RESOLUTION

# A training loss near zero can double by chance, so a rise of the mean loss by at most this much never fails.
_LOSS_FLOOR: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measure:
    """Test accuracy or test loss, with its unit and the words for a result that is worse, as in ``points lost 0.50``.

    Attributes:
        metric: The metric's name.
        unit: The unit of a change of the metric, see ``CheckResult.unit``.
        sign: 1 if a higher value is worse; −1 if a lower value is worse.
        worse: The words before the number, such as ``points lost``.
        text: Returns the number as text, given the amount by which a result is worse: ``0.50`` for 0.005.
    """

    metric: Literal["test_accuracy", "test_loss"]
    unit: Literal["points", "nats"]
    sign: float
    worse: str
    text: Callable[[float], str]


_ACCURACY: Final = _Measure(
    metric="test_accuracy",
    unit="points",
    sign=-1.0,
    worse="points lost",
    text=lambda value: f"{100 * value:.2f}",
)
_TEST_LOSS: Final = _Measure(
    metric="test_loss",
    unit="nats",
    sign=1.0,
    worse="nats more",
    text=lambda value: f"{value:.3f}",
)


def seeds_text(number: int) -> str:
    """Return a number of seeds as text: ``1 seed`` or ``3 seeds``."""
    return "1 seed" if number == 1 else f"{number} seeds"


def num_tests(matches: Sequence[CellMatch]) -> int:
    """Return the number of verdicts on one configuration that rest on confidence bounds of a mean over seeds.

    The number is 2, because ``seed_results`` returns two verdicts. The number is 0 if there are fewer than two seeds,
    because one seed gives no bounds. ``matches`` has one entry per seed.
    """
    return 2 if len(matches) > 1 else 0


def seed_results(
    label: str,
    matches: Sequence[CellMatch],
    *,
    accuracy_points: float,
    resolution: float,
    loss_nats: float,
    loss: float,
    level: float,
) -> tuple[CheckResult, CheckResult]:
    """Return two verdicts: on the test accuracy, and on the training loss, both after the last epoch.

    For language models, the first verdict is on the test loss instead of the accuracy. Each verdict compares means over
    seeds with those of the baseline.

    Args:
        label: The cell's name.
        matches: For each seed of a configuration, the results' cell and the baseline's cell to compare it with.
        accuracy_points: Allowed drop of the mean test accuracy, as a fraction: 0.005 allows half a point.
        resolution: The smallest possible change of the test accuracy, as a fraction.
        loss_nats: Allowed rise of the mean test loss of language models, in nats.
        loss: Allowed rise of the mean training loss, as a fraction of the baseline's mean. An absolute rise by
            0.01 is always allowed.
        level: Probability that a confidence bound is wrong.
    """
    if matches[0].current.is_language_model:
        tested = _test_result(label, matches, _TEST_LOSS, loss_nats, level, LOSS_RESOLUTION)
    else:
        tested = _test_result(label, matches, _ACCURACY, accuracy_points, level, resolution)
    return tested, _loss(label, matches, loss, level)


def _test_result(
    label: str, matches: Sequence[CellMatch], measure: _Measure, margin: float, level: float, resolution: float
) -> CheckResult:
    old = [match.baseline.final(measure.metric) for match in matches]
    new = [match.current.final(measure.metric) for match in matches]
    rises = [after - before for before, after in zip(old, new, strict=True)]
    losses = [measure.sign * rise for rise in rises]
    decided = decide(losses, margin, level, resolution=resolution)
    bounds = decided.bounds
    # 0.0 +, because −0.0 would have a minus sign
    ends = [] if bounds is None else [0.0 + measure.sign * bound for bound in (bounds.low, bounds.high)]
    return CheckResult(
        cell=label,
        metric=measure.metric,
        verdict=decided.verdict,
        reason=_reason(decided, losses, margin, measure.worse, measure.text),
        unit=measure.unit,
        baseline=statistics.fmean(old),
        current=statistics.fmean(new),
        change=statistics.fmean(rises),
        low=min(ends, default=None),
        high=max(ends, default=None),
        smallest_detectable=decided.smallest_detectable,
    )


def _loss(label: str, matches: Sequence[CellMatch], margin: float, level: float) -> CheckResult:
    old = [match.baseline.final("train_loss") for match in matches]
    new = [match.current.final("train_loss") for match in matches]
    rises = [after - before for before, after in zip(old, new, strict=True)]
    mean = statistics.fmean(old)
    allowed = max(margin * mean, _LOSS_FLOOR)
    decided = decide(rises, allowed, level)
    bounds = decided.bounds

    def relative(value: float | None) -> float | None:
        return None if value is None or mean <= 0 else value / mean

    return CheckResult(
        cell=label,
        metric="train_loss",
        verdict=decided.verdict,
        reason=_reason(decided, rises, allowed, "higher by", lambda value: f"{value:.4f}"),
        baseline=mean,
        current=statistics.fmean(new),
        change=relative(statistics.fmean(rises)),
        low=None if bounds is None else relative(bounds.low),
        high=None if bounds is None else relative(bounds.high),
        smallest_detectable=relative(decided.smallest_detectable),
    )


def _reason(
    decided: BoundVerdict, losses: Sequence[float], margin: float, worse: str, text: Callable[[float], str]
) -> str:
    number, seeds = len(losses), seeds_text(len(losses))
    if not any(losses):
        return f"equal with {seeds}"
    bounds = decided.bounds
    if bounds is None:
        return f"{worse} {text(losses[0])}; one seed gives no interval, run {ENOUGH_SEEDS}"
    few = "" if number >= ENOUGH_SEEDS else f"; {seeds} are few, run {ENOUGH_SEEDS}"
    if decided.seeds_needed is not None:
        few = f"; about {decided.seeds_needed} seeds would decide it"
    change = f"{worse} {text(bounds.mean)} over {seeds}"
    match decided.verdict:
        case Verdict.FAIL:
            return f"{change}, at least {text(bounds.low)}; {text(margin)} allowed{few}"
        case Verdict.PASS:
            return f"{change}, at most {text(bounds.high)}; {text(margin)} allowed{few}"
    between = f"between {text(bounds.low)} and {text(bounds.high)}"
    detectable = text(decided.smallest_detectable or 0.0)
    return f"{change}, {between}; {text(margin)} allowed, less than {detectable} could not have been detected{few}"
