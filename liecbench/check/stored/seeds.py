"""What paired seeds say of accuracy and loss at the end of training: one-sided Student-t bounds past a margin."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from liecbench.check.stored.matching import Twin
from liecbench.check.verdict import Finding, Verdict
from liecbench.results.statistics import Estimate

ENOUGH_SEEDS: Final = 5
# A loss near zero multiplies by chance: so much more of it is never a regression.
_LOSS_FLOOR: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """A mean, and what it is above and below."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict on losses; where it is open, ``visible`` is the smallest mean loss that would have failed."""

    verdict: Verdict
    bounds: Bounds | None = None
    visible: float | None = None


def judge(losses: Sequence[float], margin: float, level: float) -> Judgement:
    """Of how much worse each seed is: FAIL when the mean surely is past the margin, PASS when it surely is within."""
    if not any(losses):
        return Judgement(verdict=Verdict.PASS, bounds=Bounds(mean=0.0, low=0.0, high=0.0))
    known = Estimate.of(losses, level)
    if known.low is None or known.high is None:
        return Judgement(verdict=Verdict.INCONCLUSIVE)
    bounds = Bounds(mean=known.mean, low=known.low, high=known.high)
    if bounds.low > margin:
        return Judgement(verdict=Verdict.FAIL, bounds=bounds)
    if bounds.high <= margin:
        return Judgement(verdict=Verdict.PASS, bounds=bounds)
    return Judgement(verdict=Verdict.INCONCLUSIVE, bounds=bounds, visible=margin + bounds.mean - bounds.low)


def num_bounded(twins: Sequence[Twin]) -> int:
    """How many tests ``findings`` makes of these."""
    return 2 if len(twins) > 1 else 0


def findings(
    label: str, twins: Sequence[Twin], *, accuracy_points: float, loss: float, level: float
) -> tuple[Finding, Finding]:
    """Whether accuracy fell by more than a fraction, and the loss rose by more than a share of the baseline's."""
    return _accuracy(label, twins, accuracy_points, level), _loss(label, twins, loss, level)


def _accuracy(label: str, twins: Sequence[Twin], margin: float, level: float) -> Finding:
    old = [twin.baseline.epochs[-1].test_accuracy for twin in twins]
    new = [twin.current.epochs[-1].test_accuracy for twin in twins]
    losses = [before - after for before, after in zip(old, new, strict=True)]
    judged = judge(losses, margin, level)
    bounds = judged.bounds
    return Finding(
        cell=label,
        metric="test_accuracy",
        verdict=judged.verdict,
        reason=_reason(judged, losses, margin, "points lost", lambda value: f"{100 * value:.2f}"),
        unit="points",
        baseline=statistics.fmean(old),
        current=statistics.fmean(new),
        change=0.0 - statistics.fmean(losses),
        low=None if bounds is None else 0.0 - bounds.high,
        high=None if bounds is None else 0.0 - bounds.low,
        smallest_detectable=judged.visible,
    )


def _loss(label: str, twins: Sequence[Twin], margin: float, level: float) -> Finding:
    old = [twin.baseline.epochs[-1].train_loss for twin in twins]
    new = [twin.current.epochs[-1].train_loss for twin in twins]
    rises = [after - before for before, after in zip(old, new, strict=True)]
    mean = statistics.fmean(old)
    allowed = max(margin * mean, _LOSS_FLOOR)
    judged = judge(rises, allowed, level)
    bounds = judged.bounds

    def relative(value: float | None) -> float | None:
        return None if value is None or mean <= 0 else value / mean

    return Finding(
        cell=label,
        metric="train_loss",
        verdict=judged.verdict,
        reason=_reason(judged, rises, allowed, "higher by", lambda value: f"{value:.4f}"),
        baseline=mean,
        current=statistics.fmean(new),
        change=relative(statistics.fmean(rises)),
        low=None if bounds is None else relative(bounds.low),
        high=None if bounds is None else relative(bounds.high),
        smallest_detectable=relative(judged.visible),
    )


def _reason(judged: Judgement, losses: Sequence[float], margin: float, worse: str, text: Callable[[float], str]) -> str:
    number = len(losses)
    seeds = "1 seed" if number == 1 else f"{number} seeds"
    if not any(losses):
        return f"the same with {seeds}"
    bounds = judged.bounds
    if bounds is None:
        return f"{worse} {text(losses[0])}; one seed bounds nothing, give {ENOUGH_SEEDS}"
    few = "" if number >= ENOUGH_SEEDS else f"; {seeds} are few, give {ENOUGH_SEEDS}"
    found = f"{worse} {text(bounds.mean)} over {seeds}"
    match judged.verdict:
        case Verdict.FAIL:
            return f"{found}, at least {text(bounds.low)}; {text(margin)} allowed{few}"
        case Verdict.PASS:
            return f"{found}, at most {text(bounds.high)}; {text(margin)} allowed{few}"
    between = f"between {text(bounds.low)} and {text(bounds.high)}"
    visible = text(judged.visible or 0.0)
    return f"{found}, {between}; {text(margin)} allowed, less than {visible} would not have shown{few}"
