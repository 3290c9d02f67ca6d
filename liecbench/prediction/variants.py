"""Intervals of predictions, computed from the standard errors of the inputs.

The prediction is repeated once per input, each time with only this input changed by its standard error. Let d be the
resulting change of ln(prediction), and s the square root of the sum of d² over the inputs. The 95 % interval is the
prediction × exp(± 1.96 s). This formula assumes that the errors of the inputs are independent. The interval covers
errors of the profile's times and of the transport's constants. It does not cover errors of the prediction's model,
which the error table of docs/predict.md shows.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Final

from liecbench.prediction.transport_costs import TransportCosts
from liecbench.profiles.profile import CompressorTimes, Duration, Line, MethodTimes, Profile
from liecbench.results.statistics import Estimate

# Half of an interquartile range is 0.6745 standard deviations of a normal distribution.
_DEVIATIONS_PER_SPREAD: Final = 1 / 0.6745
QUANTILE: Final = 1.96  # of the normal distribution, for 95 %
# Standard error of a compressor's seconds, which a profile does not record, and of a method's own work whose spread it
# lacks, each as a fraction of the seconds.
_ASSUMED_ERROR: Final = 0.1


def varied(profile: Profile, costs: TransportCosts) -> list[tuple[Profile, TransportCosts]]:
    """Return (profile, costs) unchanged, followed by four variants, each with one input changed by its standard error.

    The four inputs are the compute seconds, the compression seconds, the transport's seconds per message, and the share
    of a link's rate that the transport reaches.
    """
    whole = profile.compute_seconds
    durations = (profile.forward, profile.backward, profile.clip, profile.optimizer)
    error = math.hypot(*(one.spread for one in durations)) * _DEVIATIONS_PER_SPREAD / whole if whole else 0.0
    more = 1 + costs.message_spread
    slower = dataclasses.replace(
        costs,
        message_seconds=more * costs.message_seconds,
        segment_seconds=more * costs.segment_seconds,
        step_seconds=None if costs.step_seconds is None else more * costs.step_seconds,
    )
    narrower = dataclasses.replace(costs, efficiency=costs.efficiency * (1 - costs.rate_spread))
    return [
        (profile, costs),
        (_slower_compute(profile, 1 + error), costs),
        (_slower_compression(profile, 1 + _ASSUMED_ERROR), costs),
        (profile, slower),
        (profile, narrower),
    ]


def with_more_own_work(profile: Profile) -> Profile:
    """Return the profile with the seconds of every method's own work raised by their standard error."""

    def raised(times: MethodTimes) -> MethodTimes:
        measured = None if times.spread is None else times.spread * _DEVIATIONS_PER_SPREAD
        error = _ASSUMED_ERROR * times.local if measured is None else measured
        return times.model_copy(update={"local": times.local + error})

    return profile.model_copy(update={"methods": tuple(map(raised, profile.methods))})


def interval(values: Sequence[float]) -> Estimate:
    """Return a prediction with its 95 % interval.

    The interval has no width if the prediction is not positive, or if any of ``values`` is not finite.

    Args:
        values: The first value is the prediction from unchanged inputs. Each further value is the prediction after one
            input was changed by its standard error.
    """
    first = values[0]
    if first <= 0 or not all(map(math.isfinite, values)):
        return Estimate(mean=first, low=first, high=first)
    width = QUANTILE * math.hypot(*(math.log(value / first) for value in values[1:]))
    return Estimate(mean=first, low=first * math.exp(-width), high=first * math.exp(width))


def _slower_compute(profile: Profile, factor: float) -> Profile:
    def scaled(one: Duration) -> Duration:
        return one.model_copy(update={"median": factor * one.median})

    parameters = tuple(p.model_copy(update={"ready_seconds": factor * p.ready_seconds}) for p in profile.parameters)
    changed = {name: scaled(getattr(profile, name)) for name in ("forward", "backward", "clip", "optimizer")}
    return profile.model_copy(update={**changed, "parameters": parameters})


def _slower_compression(profile: Profile, factor: float) -> Profile:
    def scaled(line: Line) -> Line:
        return Line(constant=factor * line.constant, per_element=factor * line.per_element)

    def compressor(times: CompressorTimes) -> CompressorTimes:
        names = ("compress", "decompress", "accumulate")
        return times.model_copy(update={name: scaled(getattr(times, name)) for name in names})

    return profile.model_copy(update={"compressors": tuple(map(compressor, profile.compressors))})


def crossing(function: Callable[[float], float], low: float, high: float, tolerance: float = 0.005) -> float:
    """Return the x at which ``function`` changes its sign between ``low`` and ``high``, by bisection of ln x.

    Args:
        function: A function whose values at ``low`` and ``high`` differ in sign.
        low: The lower end, above 0.
        high: The upper end.
        tolerance: The width, as a fraction of x, of the interval at which the bisection stops.
    """
    rises = function(high) > 0
    while high > (1 + tolerance) * low:
        middle = math.sqrt(low * high)
        if (function(middle) > 0) == rises:
            high = middle
        else:
            low = middle
    return math.sqrt(low * high)
