"""The predicted link rates at which a method reaches several compute utilizations, such as 0.5 and 0.99."""

import math
from collections.abc import Sequence
from dataclasses import replace

from liecbench.network.link_map import LinkMap
from liecbench.prediction.method_choice import Method
from liecbench.prediction.predictor import HIGHEST_RATE, LOWEST_RATE, Predictor
from liecbench.prediction.variants import interval
from liecbench.results.bandwidth_needed import UTILIZATIONS, BandwidthNeeded, LimitingPart, NeededRate
from liecbench.results.whose_compute import ComputeSource, StepCompute


def bandwidth_of(
    label: str, method: Method, workers: int, links: LinkMap, ones: tuple[Predictor, ...], source: ComputeSource
) -> BandwidthNeeded:
    """Return the predicted lowest link rates at which a method reaches the compute utilizations in ``UTILIZATIONS``.

    Each rate is predicted by ``ones[0]``, and given as the lower and the upper bound of its 95 % interval:

    - Both bounds are None if ``ones[0]`` finds no rate that suffices.
    - The lower bound is None if, by ``ones[0]``, the lowest rate that is tried suffices.
    - The upper bound is None if another predictor finds no rate that suffices.
    - No bound is below the same bound for a lower utilization, which needs no higher rate.

    Args:
        label: The method's short name.
        method: The method.
        workers: The number of workers.
        links: The links. The search for a rate multiplies the rates of all links by one factor.
        ones: The predictors that ``Predictor.all_of`` returns for the method. In each predictor but the first, one
            input is changed by its standard error. The more the rate changes with the inputs, the wider the interval.
        source: The origin of the compute seconds, such as ``predicted`` for seconds from a profile.
    """
    rates = []
    for utilization in UTILIZATIONS:
        found = ones[0].rate_for(utilization, links)
        low = high = found
        if found is not None:
            values = [one.rate_for(utilization, links) for one in ones]
            known = [value for value in values if value is not None]
            estimate = interval(known)
            low, high = estimate.low, (estimate.high if len(known) == len(values) else None)
            if found <= LOWEST_RATE:
                low = None  # it is reached at every rate that is looked at
        rates.append(
            NeededRate(utilization=utilization, low_bits_per_second=low, high_bits_per_second=high, basis="predicted")
        )
    best = links.at_rate(round(HIGHEST_RATE))
    time = ones[0].time(best)
    limited: LimitingPart | None = None
    if time.seconds > time.compute_seconds:
        own: LimitingPart = "method" if method.compressor is None else "compression"
        limited = own if time.compress_seconds > time.latency_seconds else "latency"
    return BandwidthNeeded(
        name=label,
        workers=workers,
        link=links,
        compute=StepCompute(seconds=ones[0].compute_seconds, source=source),
        rates=_rising(rates),
        highest_utilization=ones[0].utilization(best),
        limited_by=limited,
        num_rates=0,
    )


def _rising(rates: Sequence[NeededRate]) -> tuple[NeededRate, ...]:
    """Return the rates, with bounds tightened so that neither bound falls as the utilization rises."""
    # Near the highest utilization that a method reaches, intervals are wide. For example, the lower bound for 0.99 can
    # be below the lower bound for 0.9.
    found, least = [], 0.0
    for rate in rates:
        low = rate.low_bits_per_second
        least = max(least, low or 0.0)
        found.append(rate if low is None else replace(rate, low_bits_per_second=least))
    most = math.inf
    for index, rate in reversed(list(enumerate(found))):
        high = rate.high_bits_per_second
        most = min(most, math.inf if high is None else high)
        found[index] = rate if high is None else replace(rate, high_bits_per_second=most)
    return tuple(found)
