"""The results directory of a run: the state of its cells, its lock, and the scenario in it."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from liecbench.config import yaml_core_schema
from liecbench.config.cell import Cell
from liecbench.config.jobs import Job
from liecbench.config.scenario import Scenario
from liecbench.errors import LiecbenchError
from liecbench.profiles.profile_store import store
from liecbench.results.asked_cells import CELLS_NAME
from liecbench.results.cells import CellResult, Replay, without_used_trajectories
from liecbench.results.ledger import LEDGER_NAME, Ledger
from liecbench.results.ledger_reader import NOT_RESULTS, LedgerReader
from liecbench.untrusted import regular_files

SCENARIO_NAME: Final = "scenario.yaml"


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


def require_usable(snapshot: Snapshot) -> None:
    """Check that a run can use the path as its results directory.

    Raises:
        LiecbenchError: If the path is a file, or if a directory without a ledger holds a ``scenario.yaml`` or a
            ``cells.json``. The run would overwrite these two files.
    """
    path = snapshot.path
    if path.exists() and not path.is_dir():
        raise LiecbenchError(f"{path}: it is no directory", "give a directory that can be written with --out")
    for name in (SCENARIO_NAME, CELLS_NAME):
        if (path / name).exists() and not snapshot.has_ledger:
            message = f"{path} holds a {name} of yours, which the run would overwrite"
            raise LiecbenchError(message, "give a directory of its own with --out")


class ResultsDirectory:
    """A results directory that this run writes, locked against other runs until the ``with`` block ends.

    Raises LiecbenchError if another run uses the directory, or if it cannot be written.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.path = path = snapshot.path
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
        """Return a sentence on progress: how many cells are done, under way, or trained but not yet timed.

        The sentence is empty if no cell has ever begun in this directory.

        Args:
            cells: All cells of the scenario.
            left: The ids of the scenario's cells that are not done.
            jobs: The trainings that the cells of ``left`` still need.
        """
        found = self.snapshot.cells
        if not found:
            return ""
        num_begun = sum(job.epochs_done > 0 for job in jobs)
        known = {cell.id for cell in cells} | {cell.trajectory.id for cell in cells if cell.is_trained}
        shown = without_used_trajectories(list(found.values()))  # a cell and its training count as one
        num_others = len({cell.id for cell in shown if not cell.is_added} - known)
        text = f"{self.path} exists: {len(cells) - len(left)} of {len(cells)} cells are done"
        text += f", {num_begun} under way" if num_begun else ""
        to_train = {job.cell.id for job in jobs}
        to_time = [cell for cell in cells if cell.id in left and cell.timing == "interleaved" and cell.is_trained]
        num_to_time = sum(cell.trajectory.id not in to_train for cell in to_time)
        text += f", {num_to_time} more trained but not yet timed" if num_to_time else ""
        others = "1 other is left as it is" if num_others == 1 else f"{num_others} others are left as they are"
        return text + (f", and {others}" if num_others else "")

    def write_scenario(self, scenario: Scenario) -> None:
        """Write the scenario with all defaults to ``scenario.yaml``, and copy the profiles that the scenario names."""
        for profile in scenario.profiles:
            store(self.path, profile.content)
        text = yaml_core_schema.dump(scenario.stored())
        regular_files.write_text(self.path / SCENARIO_NAME, text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.ledger.close()
