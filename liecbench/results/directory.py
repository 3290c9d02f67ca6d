"""Results directories: read the state of their cells, lock them for a run, and load them for a comparison."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import yaml

from liecbench.config import yaml_core_schema
from liecbench.config.baseline_choice import BaselineChoice
from liecbench.config.cell import Cell
from liecbench.config.jobs import Job
from liecbench.config.scenario import Scenario
from liecbench.errors import LiecbenchError, NothingToCompareError
from liecbench.profiles.profile_store import store
from liecbench.results.cells import CellResult, Replay, replay, without_used_trajectories
from liecbench.results.ledger import LEDGER_NAME, Ledger
from liecbench.results.ledger_reader import NOT_RESULTS, LedgerReader, read
from liecbench.results.ranges import LARGEST
from liecbench.results.tolerances import DEFAULT_TOLERANCES, Tolerances
from liecbench.untrusted import regular_files

SCENARIO_NAME: Final = "scenario.yaml"
_MOST_SCENARIO_BYTES: Final = 2**22
DEFAULT_BASELINE: Final = "ddp"
_DEFAULT_CHOICE: Final = BaselineChoice(algorithm=DEFAULT_BASELINE)
_MALFORMED: Final = (ValueError, yaml.YAMLError, LookupError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonSettings:
    """The settings with which a scenario's cells are compared: baseline, target and tolerances.

    ``target_accuracy`` is from 0 to 1. ``tolerances`` are the largest differences that count as equal to the baseline.
    """

    baseline: BaselineChoice = _DEFAULT_CHOICE
    target_accuracy: float | None = None
    target_loss: float | None = None
    tolerances: Tolerances = DEFAULT_TOLERANCES

    @classmethod
    def of(cls, scenario: Mapping[str, Any]) -> Self:
        """Return the settings in a scenario's fields. Old scenarios have no tolerances and get the default ones."""
        usual = DEFAULT_TOLERANCES
        accuracy, loss = scenario.get("target_accuracy"), scenario.get("target_loss")
        return cls(
            baseline=BaselineChoice.parse(scenario["baseline"]),
            target_accuracy=None if accuracy is None else _from_zero_to(1, accuracy),
            target_loss=None if loss is None else _from_zero_to(LARGEST, loss),
            tolerances=Tolerances(
                accuracy=_from_zero_to(1, scenario.get("accuracy_tolerance", usual.accuracy)),
                loss=_from_zero_to(LARGEST, scenario.get("loss_tolerance", usual.loss)),
            ),
        )


def _from_zero_to(most: float, value: Any) -> float:
    """Return a number; raise ValueError if it is negative, larger than ``most`` or no number."""
    number = float(value)
    if not 0 <= number <= most:
        raise ValueError(f"{value} is not from 0 to {most:g}")
    return number


class Snapshot:
    """The cells of a results directory as of the last ``refresh``; each refresh reads only the ledger's new lines.

    A directory without a ledger has no cells.
    """

    def __init__(self, path: Path) -> None:
        _refuse_pipes(path)
        self.path = path
        self._reader = LedgerReader(path)
        self._replay = Replay()
        self.refresh()

    @property
    def cells(self) -> Mapping[str, CellResult]:
        """The cells by id, in the order in which they began."""
        return self._replay.cells

    @property
    def has_ledger(self) -> bool:
        """True if the directory has a ledger: a run has begun in it."""
        return self._reader.path.is_file()

    def refresh(self) -> Mapping[str, CellResult]:
        """Apply the records that were appended to the ledger since the last refresh, and return the cells by id.

        Raises:
            LiecbenchError: If a line is damaged.
        """
        if self.has_ledger:
            self._replay.apply(self._reader.new_records())
        return self.cells


def _refuse_pipes(directory: Path) -> None:
    """Raise LiecbenchError if the directory's ledger is a pipe, a device or the like, which might never end."""
    path = directory / LEDGER_NAME
    try:
        regular_files.require_regular(path)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        pass  # whoever reads or writes the ledger says what is wrong
    except OSError as error:
        raise LiecbenchError(f"{path}: {error.strerror}", NOT_RESULTS) from None


def refuse_existing(directory: Path) -> None:
    """Raise LiecbenchError if a directory already holds a ledger."""
    if (directory / LEDGER_NAME).exists():
        raise LiecbenchError(f"{directory} holds results already", "remove --fresh to go on, or give another --out")


class ResultsDirectory:
    """A results directory that this run writes, locked against other runs until the context ends.

    Raises LiecbenchError if another run uses the directory, if it cannot be written, or if it has no ledger but holds a
    ``scenario.yaml`` that the run would overwrite.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.path = path = snapshot.path
        if (path / SCENARIO_NAME).exists() and not snapshot.has_ledger:
            message = f"{path} holds a {SCENARIO_NAME} of yours, which the run would overwrite"
            raise LiecbenchError(message, "give a directory of its own with --out")
        try:
            path.mkdir(parents=True, exist_ok=True)
            self.ledger = Ledger(path)
        except OSError as error:
            raise LiecbenchError(
                f"{path}: {error.strerror}", "give a directory that can be written with --out"
            ) from None
        self.ledger.lock(path)
        self.snapshot = snapshot
        snapshot.refresh()  # another run may have added records before the lock was taken

    def describe(self, cells: Sequence[Cell], left: Collection[str], jobs: Sequence[Job]) -> str:
        """Return a sentence that tells how many cells of the scenario are done, and how many are done in part.

        The sentence is empty if no cell has ever begun in this directory.

        Args:
            cells: All cells of the scenario.
            left: The ids of the scenario's cells that are not done.
            jobs: The trainings that these cells still need. A training is under way if it has trained an epoch. A cell
                that needs none of them is trained, but its steps are not timed yet.
        """
        found = self.snapshot.cells
        if not found:
            return ""
        num_begun = sum(job.epochs_done > 0 for job in jobs)
        known = {cell.id for cell in cells} | {cell.trajectory.id for cell in cells if cell.is_trained}
        num_others = len({cell.id for cell in found.values() if not cell.is_added} - known)
        text = f"{self.path} exists: {len(cells) - len(left)} of {len(cells)} cells are done"
        text += f", {num_begun} under way" if num_begun else ""
        to_train = {job.cell.id for job in jobs}
        to_time = [cell for cell in cells if cell.id in left and cell.timing == "interleaved" and cell.is_trained]
        num_to_time = sum(cell.trajectory.id not in to_train for cell in to_time)
        text += f", {num_to_time} more trained but not yet timed" if num_to_time else ""
        return text + (f", and {num_others} others are left as they are" if num_others else "")

    def write_scenario(self, scenario: Scenario) -> None:
        """Write the scenario, with all defaults filled in, to ``scenario.yaml``, and copies of its profiles."""
        for profile in scenario.profiles:
            store(self.path, profile.content)
        text = yaml_core_schema.dump(scenario.stored())
        regular_files.write_text(self.path / SCENARIO_NAME, text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.ledger.close()


def comparison_settings(directory: Path) -> ComparisonSettings:
    """Return the comparison settings in a results directory's ``scenario.yaml``; the defaults if there is no such file.

    Raises:
        LiecbenchError: If the file is not a scenario that `liecbench run` wrote.
    """
    path = directory / SCENARIO_NAME
    if not path.exists():
        return ComparisonSettings()
    try:
        scenario = yaml.safe_load(regular_files.read_text(path, _MOST_SCENARIO_BYTES))
        return ComparisonSettings.of(scenario)
    except (LiecbenchError, OSError, *_MALFORMED):
        message = f"{path}: not the scenario that `run` wrote"
        raise LiecbenchError(message, "remove it to compare with the defaults, or run the scenario again") from None


def load(directories: Sequence[Path], *, with_added: bool = False) -> list[CellResult]:
    """Return the cells of several results directories.

    Cells at link rates that runs added to find a break-even more precisely are left out unless ``with_added``.

    If a cell completed in any directory, its incomplete results in other directories are left out. If it completed in
    several directories, all its completed results are kept, each with the directory's short name in its ``directory``.

    Raises:
        LiecbenchError: If a directory has no ledger, or its ledger is damaged.
        NothingToCompareError: If no cell has begun in any of the directories.
    """
    by_directory = {
        directory: [
            cell
            for cell in without_used_trajectories(list(replay(read(directory)).values()))
            if with_added or not cell.is_added
        ]
        for directory in directories
    }
    for directory, found in by_directory.items():
        for cell in found:
            cell.origin = str(directory)
    completed = Counter(c.id for found in by_directory.values() for c in found if c.status == "completed")
    if any(count > 1 for count in completed.values()):
        for name, found in zip(_short_names(directories), by_directory.values(), strict=True):
            for cell in found:
                cell.directory = name
    every_cell = [cell for found in by_directory.values() for cell in found]
    cells = [cell for cell in every_cell if cell.status == "completed" or not completed[cell.id]]
    if not cells:
        names = ", ".join(str(directory) for directory in directories)
        raise NothingToCompareError(f"{names}: no cell has begun", "let `liecbench run` finish an epoch")
    return cells


def _short_names(directories: Sequence[Path]) -> list[str]:
    """Return a short name per directory: as many of its path's last parts as it takes to tell the directories apart."""
    parts = [directory.resolve().parts for directory in dict.fromkeys(directories)]
    length = next((n for n in range(1, 100) if len({path[-n:] for path in parts}) == len(parts)), 100)
    return ["/".join(path[-length:]).replace("//", "/") for path in parts]
