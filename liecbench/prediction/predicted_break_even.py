"""The predicted link rate at which a method is as fast as the baseline."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from liecbench.network.link_map import LinkMap
from liecbench.network.quantity import format_rate
from liecbench.prediction.baseline_setting import BaselinePrediction
from liecbench.prediction.method_choice import Method
from liecbench.prediction.predictor import RATES, Predictor
from liecbench.prediction.saved_seconds import SavedSeconds
from liecbench.prediction.variants import interval
from liecbench.results.bracket import BreakEvenOutcome
from liecbench.results.statistics import Estimate
from liecbench.results.whose_compute import ComputeSource, StepCompute

# A break-even whose bounds are further apart, as a factor, is not reported.
_WIDEST: Final = 100


@dataclass(frozen=True, kw_only=True)
class PredictedBreakEven:
    """The predicted break-even: the link rate at which a method is as fast as the baseline.

    All link rates here are up rates of the default link, in bits per second.

    Attributes:
        method: The method.
        workers: The number of workers.
        link: The links. Of their rates, only the ratios matter to the break-even.
        compute: The compute seconds of the method's steps, for which the break-even holds.
        outcome: ``below`` or ``above``: the method is faster at rates below or above the break-even. ``always`` or
            ``never``: it is faster at every rate or at none. ``alternating``: there are several break-evens.
            ``unclear``: ``is_equal`` is True, or the break-even is too uncertain.
        bits_per_second: The break-even with its 95 % interval; None unless ``outcome`` is ``below`` or ``above``.
        is_equal: True if the method and the baseline are equally fast at every rate.
        alternating: If ``outcome`` is ``alternating``, the break-evens, lowest first; else empty.
        is_faster_at_first: True if the method is faster at rates below the first of ``alternating``.
        surely_below: If ``outcome`` is ``unclear``, a rate below which the method is faster with 95 % confidence; None
            if there is none.
    """

    method: Method
    workers: int
    link: LinkMap
    compute: StepCompute
    outcome: BreakEvenOutcome
    bits_per_second: Estimate | None
    is_equal: bool = False
    alternating: tuple[float, ...] = ()
    is_faster_at_first: bool = False
    surely_below: float | None = None

    @property
    def text(self) -> str:
        """The break-even in words, such as ``faster below 210mbit (190mbit to 230mbit)``.

        The rates in parentheses are the ends of the 95 % interval.
        """
        if self.is_equal:
            return "as fast at every rate"
        if self.surely_below is not None:
            rate = _rate_text(self.surely_below)
            return f"faster below {rate}; not known at which higher rates, because the times differ too little"
        if self.bits_per_second is None:
            return {
                "unclear": "not known at which rates it is faster, because the times differ too little",
                "always": "faster at every rate",
                "never": "slower at every rate",
            }.get(self.outcome) or self._ranges()
        rate, low, high = (
            _rate_text(value)
            for value in (self.bits_per_second.mean, self.bits_per_second.low, self.bits_per_second.high)
        )
        return f"faster {self.outcome} {rate} ({low} to {high})"

    def _ranges(self) -> str:
        """Return the ranges of rates in which the method is faster, such as ``faster below 2mbit and above 1gbit``."""
        bounds = [f"below {_rate_text(self.alternating[0])}"] if self.is_faster_at_first else []
        rates = self.alternating[1:] if self.is_faster_at_first else self.alternating
        bounds += [
            f"from {_rate_text(low)} to {_rate_text(high)}" for low, high in zip(rates[::2], rates[1::2], strict=False)
        ]
        bounds += [f"above {_rate_text(rates[-1])}"] if len(rates) % 2 else []
        return f"faster {' and '.join(bounds)}, slower at other rates (rates without intervals)"


def break_evens_of(
    made: "dict[Method, tuple[Predictor, ...]]", baseline: BaselinePrediction, links: LinkMap, source: ComputeSource
) -> Iterator[PredictedBreakEven]:
    """Yield the predicted break-even of each method except the baseline itself.

    Args:
        made: For each method, the tuple of predictors that ``Predictor.all_of`` returns.
        baseline: The baseline with which the methods are compared.
        links: The links. Their rates are multiplied by one factor to find the break-even, so only the ratios of the
            rates matter.
        source: The origin of the compute seconds, such as ``predicted`` for seconds from a profile.
    """
    for method, ones in made.items():
        if ones is baseline.predictors:
            continue
        found = [
            one.crossings(functools.partial(baseline.seconds_of, other), links)
            for one, other in zip(ones, baseline.predictors, strict=True)
        ]
        saved = SavedSeconds(predictors=ones, baseline=baseline, links=links)
        outcome, rate = _outcome(found)
        if not all(map(saved.are_known, _deciding(outcome))):
            outcome, rate = "unclear", None
        rates, is_faster = found[0]
        yield PredictedBreakEven(
            method=method,
            workers=baseline.workers,
            link=links,
            compute=StepCompute(seconds=ones[0].compute_seconds, source=source),
            outcome=outcome,
            bits_per_second=rate,
            is_equal=all(faster is None for _, faster in found),
            alternating=tuple(rates) if outcome == "alternating" else (),
            is_faster_at_first=bool(is_faster),
            surely_below=saved.surely_below() if outcome == "unclear" else None,
        )


def _deciding(outcome: BreakEvenOutcome) -> Sequence[float]:
    """Return the rates at which it must be certain whether the method or the baseline is faster.

    ``unclear`` is reported instead of ``outcome`` if it is uncertain at one of the rates which of the two is faster.
    """
    if outcome in ("always", "never"):
        return RATES
    return (RATES[0], RATES[-1]) if outcome in ("below", "above") else ()


def _outcome(found: Sequence[tuple[list[float], bool | None]]) -> tuple[BreakEvenOutcome, Estimate | None]:
    """Return (outcome, break-even): the ``outcome`` and ``bits_per_second`` of a ``PredictedBreakEven``.

    The outcomes ``below`` and ``above`` have a break-even, with a 95 % interval. For others, the break-even is None.

    Args:
        found: The results of ``Predictor.crossings``: first the one from unchanged inputs, then several from inputs of
            which one is changed by its standard error. For example, the result ``([2e8], True)`` means that the method
            is faster than the baseline below 200 Mbit/s, and slower above. ``([], None)`` means that the method is as
            fast as the baseline at every rate.
    """
    (rates, is_faster), *_ = found
    if is_faster is None:
        return "unclear", None
    if any((len(others), faster) != (len(rates), is_faster) for others, faster in found):
        return "unclear", None
    if not rates:
        return ("always" if is_faster else "never"), None
    if len(rates) > 1:
        return "alternating", None
    rate = interval([others[0] for others, _ in found])
    if rate.low is None or rate.high is None or rate.high > _WIDEST * rate.low:
        return "unclear", None
    return ("below" if is_faster else "above"), rate


def _rate_text(rate: float | None) -> str:
    return "?" if rate is None else format_rate(int(float(f"{rate:.3g}")))
