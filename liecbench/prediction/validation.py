"""Predictions beside measured rows: the error of each, and whether the same method wins."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from liecbench.config.cell import Cell
from liecbench.errors import LiecbenchError, NothingToCompareError
from liecbench.network.link_map import LinkMap
from liecbench.prediction.prediction_inputs import method_of, require_same_model
from liecbench.prediction.predictor import Predictor
from liecbench.prediction.recorded_method import RecordedMethod
from liecbench.prediction.transport_costs import TransportCosts
from liecbench.profiles.profile import Profile
from liecbench.profiles.profile_file import read_profile
from liecbench.profiles.profile_store import DIRECTORY
from liecbench.results.comparison import Comparison
from liecbench.results.comparison_of_cells import compare as compare_cells
from liecbench.results.directory import comparison_settings, load
from liecbench.results.row_flags import row_flags
from liecbench.results.rows import Row

_PERCENTILE: Final = 0.95
# Returns False for rows that are not to be predicted.
Chosen = Callable[["MeasuredStep"], bool]


@dataclass(frozen=True, kw_only=True)
class MeasuredStep:
    """The measured mean seconds of a step of one row of results.

    Attributes:
        row: The row.
        name: The method's name.
        cell: One of the row's cells.
        seconds: Mean seconds per step in the long run.
    """

    row: Row
    name: str
    cell: Cell
    seconds: float

    @property
    def flags(self) -> tuple[str, ...]:
        """The row's flags, such as ``cpu_bound``."""
        return row_flags(self.row)


@dataclass(frozen=True, kw_only=True)
class ValidatedStep:
    """A measured step and its prediction, in seconds."""

    measured: MeasuredStep
    predicted_seconds: float

    @property
    def error(self) -> float:
        """Predicted ÷ measured − 1."""
        return self.predicted_seconds / self.measured.seconds - 1


@dataclass(frozen=True, kw_only=True)
class ValidatedBreakEven:
    """A break-even that lies between two measured rates, and its prediction, in bits per second.

    ``predicted`` is None if the model says that there is none.
    """

    name: str
    workers: int
    low: int
    high: int
    predicted: float | None

    @property
    def error(self) -> float | None:
        """Predicted ÷ the middle of the two rates − 1; 0 between them; None without a prediction."""
        if self.predicted is None:
            return None
        return 0.0 if self.low <= self.predicted <= self.high else self.predicted / math.sqrt(self.low * self.high) - 1


@dataclass(frozen=True, kw_only=True)
class Validation:
    """The errors of predictions.

    Attributes:
        steps: All predicted rows.
        settings: For each setting with several methods, its name and whether the predicted winner is among those that
            the measurement does not show to be slower than any other.
        break_evens: The break-evens that lie between measured rates.
    """

    steps: tuple[ValidatedStep, ...]
    settings: tuple[tuple[str, bool], ...]
    break_evens: tuple[ValidatedBreakEven, ...]

    @property
    def median_error(self) -> float:
        """The median of the absolute errors."""
        return statistics.median(abs(step.error) for step in self.steps)

    @property
    def high_error(self) -> float:
        """The 95th percentile of the absolute errors."""
        errors = sorted(abs(step.error) for step in self.steps)
        return errors[min(len(errors) - 1, math.ceil(_PERCENTILE * len(errors)) - 1)]

    @property
    def num_right(self) -> int:
        """The number of settings whose predicted winner is in the measured fastest set."""
        return sum(right for _, right in self.settings)


def load_comparison(directory: Path) -> Comparison:
    """Return the comparison of all cells of a results directory."""
    settings = comparison_settings(directory)
    return compare_cells(load([directory], with_added=True), baseline=settings.baseline, directories=[directory])


def measured_steps(comparison: Comparison) -> list[MeasuredStep]:
    """Return the timed rows whose links have a rate and lose nothing.

    Raises:
        NothingToCompareError: If there is none.
    """
    found = []
    for row in comparison.rows:
        seconds, links = row.metrics["seconds_per_epoch"], LinkMap.parse(row.cells[0].spec["link"])
        completed = [cell for cell in row.cells if cell.status == "completed"]
        if seconds is None or not completed or not links.shaped or any(link.loss for link in links.links()):
            continue
        steps = statistics.fmean(cell.epochs[-1].steps for cell in completed)
        cell = Cell.from_spec(dict(completed[0].spec))
        name = comparison.labels.method(row)
        found.append(MeasuredStep(row=row, name=name, cell=cell, seconds=seconds.mean / steps))
    if not found:
        raise NothingToCompareError(
            "no completed row has a link that can be predicted: with a rate, which `none` and `host` have not, and "
            "without loss",
            "run the scenario with links such as --set 'matrix.link=[20mbit, 1gbit]'",
        )
    return found


def stored_profiles(directory: Path) -> list[tuple[str, Profile]]:
    """Return the profiles that a run has stored in its results directory, with the names of their files."""
    return [(str(path), read_profile(path)) for path in sorted((directory / DIRECTORY).glob("*.json"))]


def profile_for(cell: Cell, profiles: Sequence[tuple[str, Profile]]) -> Profile:
    """Return the profile that the cell replays, else the first one of its model.

    Raises:
        LiecbenchError: If there is none; the message says what to measure.
    """
    reasons = []
    own = cell.task.profile or cell.profile
    replayed = [one for one in profiles if own is not None and own in one[0]]
    for source, profile in replayed or profiles:
        try:
            require_same_model(profile, cell, source)
        except LiecbenchError as error:
            reasons.append(error)
        else:
            return profile
    if reasons:
        raise reasons[0]
    raise LiecbenchError(
        "the results have no profile", "measure one with liecbench profile SCENARIO -o FILE, and give --profile FILE"
    )


class StepPredictor:
    """Predicts the steps of cells. What methods send is recorded once per method and number of workers.

    Args:
        profiles: Profiles, with the names of their files.
        costs: The transport's constants.
    """

    def __init__(self, profiles: Sequence[tuple[str, Profile]], costs: TransportCosts) -> None:
        self._profiles, self._costs = profiles, costs
        self._known: dict[str, tuple[RecordedMethod, Profile]] = {}
        self._predictors: dict[str, Predictor] = {}

    def with_costs(self, costs: TransportCosts) -> "StepPredictor":
        """Return a predictor with other constants, for the same methods."""
        other = StepPredictor(self._profiles, costs)
        other._known = self._known
        return other

    def seconds(self, cell: Cell) -> float:
        """Return the predicted seconds of a long-run step of the cell on its links."""
        return self.predictor(cell).time(cell.link).seconds

    def predictor(self, cell: Cell) -> Predictor:
        """Return the predictor of the cell's method."""
        task = cell.task
        model = f"{task.model!r} {task.dataset!r} {task.precision} {task.profile or cell.profile}"
        key = f"{method_of(cell)!r} {cell.workers} {model}"
        if key not in self._known:
            profile = profile_for(cell, self._profiles)
            self._known[key] = RecordedMethod.of(method_of(cell), profile, cell.workers), profile
        if key not in self._predictors:
            recorded, profile = self._known[key]
            self._predictors[key] = Predictor(kinds=recorded.work(profile), costs=self._costs)
        return self._predictors[key]


def validate(comparison: Comparison, predictor: StepPredictor, chosen: Chosen = lambda _: True) -> Validation:
    """Return the errors of predictions for the measured rows of a comparison that ``chosen`` returns True for."""
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
    """Return the errors of several comparisons together."""
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
            winner = min(known, key=lambda index: by_row[id(verdict.rows[index])].predicted_seconds)
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
        rates, _ = own.crossings(other, cell.link)
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
