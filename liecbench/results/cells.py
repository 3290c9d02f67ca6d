"""State of cells, rebuilt from a ledger's records: the status of each cell, and its epochs in order.

A cell is one configuration of a scenario's matrix with one seed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from liecbench.config.cell_fields import is_of_profile, num_epochs
from liecbench.config.cell_keys import contestant_key, digest, setting_key, trajectory_spec
from liecbench.network.link_tally import LinkTally
from liecbench.results.environment_record import Environment
from liecbench.results.kind_means import compose_epoch, kind_means, long_run_epoch
from liecbench.results.language_model import is_language_model
from liecbench.results.records import End, Epoch, Record, Start, untrained_epoch
from liecbench.results.timing_record import Timing


@dataclass(slots=True, kw_only=True)
class CellResult:
    """The state of one cell, a configuration with one seed, after its last record.

    An interleaved cell is one whose steps are only timed, in a timing session. The losses and accuracies in its
    ``epochs`` are copied from the cell with the id ``trajectory``, which is trained. A cell whose task is a profile has
    no losses and no accuracies.

    Attributes:
        epochs: The epochs in order. If several attempts recorded the same epoch, the latest attempt counts. If the task
            is a profile, ``long_run`` is the only epoch.
        timings: The timed bursts of consecutive steps; empty unless the cell is interleaved.
        timing_emulators: The names of the emulators of the cell's links during ``timings``.
        long_run: The mean epoch that an interleaved cell would have in a long training. Rare steps, such as averaging
            steps, are as frequent as in a long training. Times and bytes are computed from ``timings``. Losses and
            accuracies are those of the trained cell's last epoch. If the task is a profile, the epoch has only one
            step. None if the cell is not interleaved, or if the records do not suffice to compute the epoch.
        link_tally: The numbers of lost segments, dropped frames and late frames; None if the cell has not ended, or if
            its links did not use the delay line, one of the link emulators.
        at: The time at which the last attempt began, in ISO 8601; empty if unknown.
        origin: The path of the results directory that the cell was loaded from; empty if it was not loaded from one.
    """

    id: str
    spec: dict[str, Any]
    environment: Environment
    attempt: int
    epochs: list[Epoch] = field(default_factory=list)
    timings: tuple[Timing, ...] = ()
    timing_emulators: frozenset[str] = frozenset()
    long_run: Epoch | None = None
    status: Literal["completed", "failed", "diverged", "unfinished"] = "unfinished"
    error: str | None = None
    link_tally: LinkTally | None = None
    at: str = ""
    origin: str = ""
    directory: str | None = None  # a short name, set if several of the loaded directories completed the same cell

    @property
    def is_final(self) -> bool:
        """True if the cell completed or diverged, so that a later run leaves it as it is.

        A later run retries failed cells and continues unfinished ones.
        """
        return self.status in ("completed", "diverged")

    @property
    def is_interleaved(self) -> bool:
        """True if the cell is timed but not trained: a timing session times some of the cell's steps.

        The losses of an interleaved cell, if there are any, are copied from the trained cell that the property
        ``trajectory`` identifies.
        """
        return bool(self.spec["timing"] == "interleaved")

    @property
    def is_trained(self) -> bool:
        """False if only steps of a profile were timed, so that the cell has neither losses nor accuracy."""
        return not is_of_profile(self.spec["task"])

    @property
    def is_language_model(self) -> bool:
        """True if the cell trains a language model, which is judged by its test loss instead of its accuracy."""
        return is_language_model(self.spec, [epoch.tokens for epoch in self.epochs])

    @property
    def is_replayed(self) -> bool:
        """True if the ranks sleep as long as a profile says, instead of computing, while this cell is timed."""
        return self.spec.get("compute") == "replayed"

    @property
    def emulators(self) -> frozenset[str]:
        """The names of the emulators of this cell's links while the cell was timed, such as ``tbf`` or ``netem``.

        Empty if the links are unshaped, if the ranks themselves limit the rates, or if no emulator is known.
        """
        if self.is_interleaved:
            return self.timing_emulators
        emulator = _emulator(self.environment)
        return frozenset() if emulator is None else frozenset({emulator})

    @property
    def is_added(self) -> bool:
        """True if no scenario asked for this cell: a run added its link rate to find a break-even more precisely."""
        return bool(self.spec.get("added_rate", False))

    @property
    def trajectory(self) -> str:
        """The id of the trained cell from which an interleaved cell gets its losses and accuracies.

        The trained cell has the same method, task and seed, but links without rate limits. Use this property only if
        ``is_interleaved``: a cell that is not interleaved is trained itself.
        """
        return digest(trajectory_spec(self.spec))


class Replay:
    """The state of all cells after the records that were given to ``apply``.

    ``cells`` maps ids to cells, in the order in which the cells began.
    """

    def __init__(self) -> None:
        self.cells: dict[str, CellResult] = {}
        self._timings: dict[str, list[Timing]] = {}
        self._emulators: dict[str, str | None] = {}  # by setting: what emulates its links now
        self._timing_emulators: dict[str, set[str]] = {}  # by contestant

    def apply(self, records: Iterable[Record]) -> None:
        """Update the states of the cells with ``records``, which must be in the order of the ledger.

        Epoch and End records that come before the Start record of their cell are ignored.

        An interleaved cell is only timed, in a timing session. The content of its epochs depends on its task:

        - A profile: times and all bytes are from the timing session; losses and accuracy are NaN.
        - Any other task: times and wire bytes are from the timing session. Losses, accuracies and payload bytes are
          from the trained cell with the id ``CellResult.trajectory``.
        """
        for record in records:
            if isinstance(record, Timing):
                self._timings.setdefault(record.contestant, []).append(record)
                if emulator := self._emulators.get(record.setting):
                    self._timing_emulators.setdefault(record.contestant, set()).add(emulator)
            else:
                self._apply(record)
        self._compose()

    def _apply(self, record: Start | Epoch | End) -> None:
        cell = self.cells.get(record.cell)
        match record:
            case Start():
                if record.spec["timing"] == "interleaved":
                    self._emulators[setting_key(record.spec)] = _emulator(record.environment)
                self.cells[record.cell] = CellResult(
                    id=record.cell,
                    spec=record.spec,
                    environment=record.environment,
                    attempt=record.attempt,
                    at=record.at,
                    epochs=[epoch for epoch in cell.epochs if epoch.epoch <= record.epochs_done] if cell else [],
                )
            case Epoch() if cell:
                cell.epochs.append(record)
            case End() if cell and (record.status != "completed" or cell.epochs or cell.is_interleaved):
                cell.status, cell.error, cell.link_tally = record.status, record.error, record.link

    def _compose(self) -> None:
        means = {contestant: kind_means(timings) for contestant, timings in self._timings.items()}
        for cell in self.cells.values():
            if not cell.is_interleaved:
                continue
            contestant, trained = contestant_key(cell.spec), self.cells.get(cell.trajectory)
            kinds = means.get(contestant, {})
            cell.timings, cell.epochs = tuple(self._timings.get(contestant, ())), []
            cell.timing_emulators = frozenset(self._timing_emulators.get(contestant, ()))
            epochs = trained.epochs if trained else []
            if epochs and all(epoch.step_kinds and epoch.step_kinds.keys() <= kinds.keys() for epoch in epochs):
                cell.epochs = [compose_epoch(epoch, kinds, cell.timings, cell.id) for epoch in epochs]
                cell.long_run = long_run_epoch(epochs[-1], kinds, cell.timings, cell.id)
            if not cell.is_trained and kinds:
                samples = next((burst.step_samples for burst in cell.timings if burst.step_samples), None)
                step = untrained_epoch(cell.id, cell.spec["workers"], samples)
                cell.long_run = long_run_epoch(step, kinds, cell.timings, cell.id)
                cell.epochs = [cell.long_run]
            if cell.status == "completed" and len(cell.epochs) < num_epochs(cell.spec):
                cell.status = "unfinished"  # some epochs of the trained cell or some timed steps are not in this ledger
            if cell.status == "completed" and trained and trained.status in ("failed", "diverged"):
                cell.status, cell.error = trained.status, trained.error


def _emulator(environment: Environment) -> str | None:
    return None if environment.link is None else environment.link.used_emulator


def replay(records: Iterable[Record]) -> dict[str, CellResult]:
    """Return the state of each cell after all ``records``, by cell id, in the order in which the cells began."""
    state = Replay()
    state.apply(records)
    return state.cells


def without_used_trajectories(cells: Sequence[CellResult]) -> list[CellResult]:
    """Return ``cells`` without the cells that were trained to provide losses for interleaved cells in ``cells``.

    An interleaved cell is timed but not trained. Its losses are copied from a trained cell. A list with both cells
    would show one training twice.
    """
    used = {cell.trajectory for cell in cells if cell.is_interleaved}
    return [cell for cell in cells if cell.id not in used]
