"""Compare the accuracy and loss that cells reach with those of a baseline, seed by seed.

The bounds of the differences are one-sided Student-t confidence bounds.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from liecbench.check.stored.matching import CellMatch
from liecbench.check.verdict import CheckResult, Verdict
from liecbench.results.accuracy_verdict import LOSS_RESOLUTION
from liecbench.results.statistics import Estimate, spread
from liecbench.results.student_t import t_quantile

ENOUGH_SEEDS: Final = 5
MOST_SEEDS: Final = 1000
# A training loss near zero can double by chance, so a rise of the mean loss by at most this much never fails.
_LOSS_FLOOR: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The mean over seeds of the amount by which results are worse than the baseline, with confidence bounds.

    Attributes:
        mean: The mean; negative if the results are better.
        low: The lower bound. The true mean is below ``low`` with the probability ``level``, an argument of ``decide``.
        high: The upper bound. The true mean is above ``high`` with the same probability ``level``.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundVerdict:
    """A verdict on whether results are worse than the baseline by more than a margin, on average over seeds.

    Attributes:
        verdict: The verdict.
        bounds: The mean over seeds of the amount by which a result is worse, with confidence bounds. None if there is
            only one seed, and its result differs from the baseline's.
        smallest_detectable: The mean above which the verdict would be FAIL, if the spread over seeds stayed the same.
            None unless the verdict is INCONCLUSIVE and ``bounds`` is given.
        seeds_needed: The number of seeds with which the verdict would be PASS or FAIL, if mean and spread stayed the
            same. None if ``smallest_detectable`` is None, or if the number is above ``MOST_SEEDS``.
    """

    verdict: Verdict
    bounds: Bounds | None = None
    smallest_detectable: float | None = None
    seeds_needed: int | None = None


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


def decide(losses: Sequence[float], margin: float, level: float, *, resolution: float = 0.0) -> BoundVerdict:
    """Decide whether results are worse than the baseline by more than a margin, on average over seeds.

    Args:
        losses: Per seed, the amount by which the results are worse than the baseline; negative if better.
        margin: The allowed mean of ``losses``.
        level: The probability that the true mean lies above its upper confidence bound, and equally that it lies below
            the lower bound.
        resolution: The smallest possible difference of two losses. The standard deviation of ``losses`` is taken as at
            least this large.

    Returns:
        The verdict and the confidence bounds of the mean. The verdict is FAIL if the lower bound is above the margin.
        It is PASS if the upper bound is at most the margin, or if all losses are zero. Otherwise it is
        INCONCLUSIVE, also for a single nonzero loss, which has no bounds.
    """
    if not any(losses):
        return BoundVerdict(verdict=Verdict.PASS, bounds=Bounds(mean=0.0, low=0.0, high=0.0))
    known = Estimate.of(losses, level, resolution=resolution)
    if known.low is None or known.high is None:
        return BoundVerdict(verdict=Verdict.INCONCLUSIVE)
    bounds = Bounds(mean=known.mean, low=known.low, high=known.high)
    if bounds.low > margin:
        return BoundVerdict(verdict=Verdict.FAIL, bounds=bounds)
    if bounds.high <= margin:
        return BoundVerdict(verdict=Verdict.PASS, bounds=bounds)
    return BoundVerdict(
        verdict=Verdict.INCONCLUSIVE,
        bounds=bounds,
        smallest_detectable=margin + bounds.mean - bounds.low,
        seeds_needed=_seeds_needed(losses, margin, level, resolution),
    )


def _seeds_needed(losses: Sequence[float], margin: float, level: float, resolution: float) -> int | None:
    """Return the least number of seeds for which the verdict of ``decide`` would be PASS or FAIL.

    The mean and the spread of ``losses`` are assumed to stay the same. The number is above the present number of seeds,
    and at least ``ENOUGH_SEEDS``. Return None if the number is above ``MOST_SEEDS``. ``decide`` explains the arguments.
    """
    distance, deviation = abs(margin - statistics.fmean(losses)), spread(losses, resolution)
    numbers = range(max(ENOUGH_SEEDS, len(losses) + 1), MOST_SEEDS + 1)
    return next((n for n in numbers if t_quantile(n - 1, 1 - level) * deviation / math.sqrt(n) <= distance), None)


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
