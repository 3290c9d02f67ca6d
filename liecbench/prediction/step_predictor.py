"""The predicted seconds per step of cells, from the profile that fits each cell."""

from collections.abc import Sequence
from pathlib import Path

from liecbench.config.cell import Cell
from liecbench.errors import LiecbenchError
from liecbench.prediction.prediction_inputs import method_of, require_same_model
from liecbench.prediction.predictor import Predictor
from liecbench.prediction.recorded_method import RecordedMethod
from liecbench.prediction.transport_costs import TransportCosts
from liecbench.profiles.profile import Profile
from liecbench.profiles.profile_file import read_profile
from liecbench.profiles.profile_store import DIRECTORY


def stored_profiles(directory: Path) -> list[tuple[str, Profile]]:
    """Return (path, profile) of each profile that a run has stored in its results directory, sorted by path.

    ``directory`` is the results directory. If it is ``results``, a path is ``results/profiles/SHA256.json``.
    """
    return [(str(path), read_profile(path)) for path in sorted((directory / DIRECTORY).glob("*.json"))]


def profile_for(cell: Cell, profiles: Sequence[tuple[str, Profile]]) -> Profile:
    """Return the profile from which to predict the steps of a cell.

    If the cell replays a profile, and a path in ``profiles`` contains this profile's hash, return the profile at this
    path. Otherwise, return the first profile of the cell's model or, if the cell is not trained, the first profile of
    any model.

    Args:
        cell: The cell.
        profiles: Pairs of a file's path and the profile in this file.

    Raises:
        LiecbenchError: If ``profiles`` is empty, or if all profiles are of other models. Also raised if the replayed
            profile is of another model than the cell's. The message says what to measure.
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
    """Predicts the seconds per step of cells, from profiles of devices.

    Args:
        profiles: Pairs of a file's path and the profile in this file.
        costs: The constants of the transport, such as the seconds per message.
    """

    def __init__(self, profiles: Sequence[tuple[str, Profile]], costs: TransportCosts) -> None:
        self._profiles, self._costs = profiles, costs
        self._known: dict[str, tuple[RecordedMethod, Profile]] = {}
        self._predictors: dict[str, Predictor] = {}

    def with_costs(self, costs: TransportCosts) -> "StepPredictor":
        """Return a predictor with the same profiles, but with ``costs`` as the transport's constants."""
        other = StepPredictor(self._profiles, costs)
        other._known = self._known
        return other

    def seconds(self, cell: Cell) -> float:
        """Return the predicted mean seconds per step in a long training of the cell, on the cell's links."""
        return self.predictor(cell).time(cell.link).seconds

    def predictor(self, cell: Cell) -> Predictor:
        """Return a predictor of the step times of the cell's method, at any link rate.

        The predictor uses the cell's number of workers and the profile that fits the cell.

        Raises:
            LiecbenchError: If no profile fits the cell, if the profile lacks the method's compressor, or if the
                method's messages cannot be recorded.
        """
        task = cell.task
        model = f"{task.model!r} {task.dataset!r} {task.precision} {task.profile or cell.profile}"
        key = f"{method_of(cell)!r} {cell.workers} {model}"
        if key not in self._known:
            profile = profile_for(cell, self._profiles)
            self._known[key] = RecordedMethod.of(method_of(cell), profile, cell.workers), profile
        if key not in self._predictors:
            recorded, profile = self._known[key]
            self._predictors[key] = Predictor(
                kinds=recorded.work(profile), costs=self._costs, batches_per_step=recorded.batches_per_step
            )
        return self._predictors[key]
