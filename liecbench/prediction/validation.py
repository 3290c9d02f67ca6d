"""Compare predictions with measured results.

The comparison gives the relative errors of predicted step times and break-evens. For each setting, it also tells
whether the fastest method is predicted correctly.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from liecbench.config.cell import Cell
from liecbench.errors import NothingToCompareError
from liecbench.prediction.measured_steps import MeasuredStep, measured_steps
from liecbench.prediction.step_predictor import StepPredictor
from liecbench.results.comparison import Comparison
from liecbench.results.equal_work import seconds_per_work

_PERCENTILE: Final = 0.95
# Returns False for rows that are not to be predicted.
Chosen = Callable[[MeasuredStep], bool]


@dataclass(frozen=True, kw_only=True)
class ValidatedStep:
    """A measured step and its prediction, in seconds."""

    measured: MeasuredStep
    predicted_seconds: float

    @property
    def error(self) -> float:
        """The relative error of the predicted step time: predicted seconds ÷ measured seconds − 1."""
        return self.predicted_seconds / self.measured.seconds - 1

    @property
    def predicted_epoch_seconds(self) -> float:
        """The predicted seconds of an epoch: ``predicted_seconds`` × steps per epoch.

        The numbers of steps and of samples per epoch may differ between methods.
        """
        return self.predicted_seconds * self.measured.steps_per_epoch


@dataclass(frozen=True, kw_only=True)
class ValidatedBreakEven:
    """The measured and the predicted break-even: the link rate at which a method is as fast as the baseline.

    Attributes:
        name: The method's name.
        workers: The number of workers.
        low: The measured break-even lies above this link rate, in bits per second.
        high: The measured break-even lies below this link rate, in bits per second.
        predicted: The predicted break-even in bits per second; None if none is predicted. If several are predicted,
            the one nearest to √(``low`` · ``high``) on a logarithmic scale.
    """

    name: str
    workers: int
    low: int
    high: int
    predicted: float | None

    @property
    def error(self) -> float | None:
        """The relative error of ``predicted``; None if no break-even is predicted.

        The error is 0 if ``predicted`` lies between ``low`` and ``high``. Else the error is
        ``predicted`` ÷ √(``low`` · ``high``) − 1.
        """
        if self.predicted is None:
            return None
        return 0.0 if self.low <= self.predicted <= self.high else self.predicted / math.sqrt(self.low * self.high) - 1


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Measured results, each with its prediction.

    Attributes:
        steps: The measured and the predicted step time of each row whose step time is predicted.
        settings: A pair (name, is_right) for each setting in which several methods are predicted. ``is_right`` is False
            if the measurement shows that the method predicted to be fastest is slower than another method.
        break_evens: The measured break-evens that lie between two measured link rates, each with its prediction.
    """

    steps: tuple[ValidatedStep, ...]
    settings: tuple[tuple[str, bool], ...]
    break_evens: tuple[ValidatedBreakEven, ...]

    @property
    def median_error(self) -> float:
        """The median of the absolute relative errors of all predicted step times."""
        return statistics.median(abs(step.error) for step in self.steps)

    @property
    def high_error(self) -> float:
        """The 95th percentile of the absolute relative errors of all predicted step times."""
        errors = sorted(abs(step.error) for step in self.steps)
        return errors[min(len(errors) - 1, math.ceil(_PERCENTILE * len(errors)) - 1)]

    @property
    def num_right(self) -> int:
        """The number of ``settings`` in which no method is shown to be faster than the predicted fastest method."""
        return sum(right for _, right in self.settings)


def validate(comparison: Comparison, predictor: StepPredictor, chosen: Chosen = lambda _: True) -> Validation:
    """Return the errors of predictions for those measured rows of a comparison for which ``chosen`` is True."""
    steps = [
        ValidatedStep(measured=one, predicted_seconds=predictor.seconds(one.cell))
        for one in measured_steps(comparison)
        if chosen(one)
    ]
    if not steps:
        raise NothingToCompareError("no measured row is left to predict", "measure other links or numbers of workers")
    by_row = {id(step.measured.row): step for step in steps}
    return Validation(
        steps=tuple(steps),
        settings=tuple(_winners(comparison, by_row)),
        break_evens=tuple(_break_evens(comparison, by_row, predictor)),
    )


def joined(validations: Sequence[Validation]) -> Validation:
    """Return one validation with the steps, settings and break-evens of all ``validations``."""
    return Validation(
        steps=tuple(step for one in validations for step in one.steps),
        settings=tuple(setting for one in validations for setting in one.settings),
        break_evens=tuple(found for one in validations for found in one.break_evens),
    )


def _winners(comparison: Comparison, by_row: dict[int, ValidatedStep]) -> list[tuple[str, bool]]:
    found = []
    for verdict in comparison.setting_verdicts:
        known = [index for index, row in enumerate(verdict.rows) if id(row) in by_row]
        if len(known) > 1:
            rows = [verdict.rows[index] for index in known]
            epochs = [(by_row[id(row)].predicted_epoch_seconds, row.pace.compared_samples) for row in rows]
            _, winner = min(zip(seconds_per_work(epochs), known, strict=True))
            found.append((verdict.setting, winner in verdict.speed.fastest))
    return found


def _break_evens(
    comparison: Comparison, by_row: dict[int, ValidatedStep], predictor: StepPredictor
) -> list[ValidatedBreakEven]:
    found = []
    for one in comparison.break_evens:
        steps = [by_row[id(row)] for row in one.rows if id(row) in by_row]
        low, high = one.bracket.low, one.bracket.high
        if not steps or low is None or high is None:
            continue
        cell = steps[0].measured.cell
        baseline = next(
            (step for step in by_row.values() if step.measured.row.is_baseline and _shares(step.measured.cell, cell)),
            None,
        )
        if baseline is None:
            continue
        own, other = predictor.predictor(cell), predictor.predictor(baseline.measured.cell)
        rates, _ = own.crossings(other.minibatch_seconds, cell.link)
        middle = math.sqrt(low * high)
        nearest = min(rates, key=lambda rate: abs(math.log(rate / middle)), default=None)
        name = steps[0].measured.name
        found.append(ValidatedBreakEven(name=name, workers=cell.workers, low=low, high=high, predicted=nearest))
    return found


def _shares(first: Cell, second: Cell) -> bool:
    return (first.workers, first.task.model, first.link.shape) == (
        second.workers,
        second.task.model,
        second.link.shape,
    )
