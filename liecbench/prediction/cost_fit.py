"""Fit the transport's constants, such as its seconds per message, to the measured step times of results."""

import dataclasses
import functools
import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any, Final

from liecbench.errors import LiecbenchError
from liecbench.prediction.measured_steps import MeasuredStep
from liecbench.prediction.step_predictor import StepPredictor
from liecbench.prediction.transport_costs import TransportCosts

# The constants to fit, each with the range of its values.
_RANGES: Final = {
    "message_seconds": (2e-5, 2e-3),
    "segment_seconds": (5e-6, 5e-4),
    "step_seconds": (1e-5, 2e-2),
    "efficiency": (0.8, 1.05),
    "slowdown": (1.0, 2.0),
}
_SWEEPS, _TRIALS = 3, 10
_GOLDEN: Final = (math.sqrt(5) - 1) / 2
_LEAST_SPREAD: Final = 0.01


def fit_costs(steps: Sequence[MeasuredStep], predictor: StepPredictor, start: TransportCosts) -> TransportCosts:
    """Return the transport's constants with the least mean of |log(predicted ÷ measured)| over ``steps``.

    The search is a coordinate descent: each sweep optimises one constant after the other.

    Args:
        steps: The measured steps.
        predictor: Predicts the same steps, for given constants.
        start: The constants from which the search starts.

    Raises:
        LiecbenchError: If the steps have fewer than two link rates or fewer than two methods.
    """
    rates = {link.lower_bits_per_second for step in steps for link in step.cell.link.links()}
    methods = {step.name for step in steps}
    if len(rates) < 2 or len(methods) < 2:
        raise LiecbenchError(
            f"{len(rates)} link rates and {len(methods)} methods are too few to fit a transport's constants",
            "measure two or more of each with liecbench run",
        )

    def loss(costs: TransportCosts) -> float:
        changed = predictor.with_costs(costs)
        return statistics.fmean(abs(math.log(changed.seconds(one.cell) / one.seconds)) for one in steps)

    best = start
    for _ in range(_SWEEPS):
        for name, (low, high) in _RANGES.items():
            value = _least(functools.partial(_loss_at, loss, best, name), low, high)
            trial = _changed(best, name, value)
            if loss(trial) < loss(best):
                best = trial
    error = loss(best)
    return dataclasses.replace(
        best,
        rate_spread=max(_LEAST_SPREAD, error),
        workers=tuple(sorted({one.cell.workers for one in steps})),
        rates=(min(rates), max(rates)),
        source=f"fitted to {len(steps)} measured rows, with a mean error of {error:.1%}",
    )


def _loss_at(loss: Callable[[TransportCosts], float], costs: TransportCosts, name: str, value: float) -> float:
    return loss(_changed(costs, name, value))


def _changed(costs: TransportCosts, name: str, value: float) -> TransportCosts:
    changes: dict[str, Any] = {name: value}
    return dataclasses.replace(costs, **changes)


def _least(function: Callable[[float], float], low: float, high: float) -> float:
    """Return the x at which a function with one minimum is smallest, by golden-section search of ln x."""
    a, b = math.log(low), math.log(high)
    x, y = b - _GOLDEN * (b - a), a + _GOLDEN * (b - a)
    at_x, at_y = function(math.exp(x)), function(math.exp(y))
    for _ in range(_TRIALS):
        if at_x <= at_y:
            b, y, at_y = y, x, at_x
            x = b - _GOLDEN * (b - a)
            at_x = function(math.exp(x))
        else:
            a, x, at_x = x, y, at_y
            y = a + _GOLDEN * (b - a)
            at_y = function(math.exp(y))
    return math.exp((a + b) / 2)
