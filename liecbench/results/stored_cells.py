"""The cells of one or several results directories, loaded together."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from liecbench.errors import NothingToCompareError
from liecbench.results.cells import CellResult, replay, without_used_trajectories
from liecbench.results.ledger_reader import read


def load(directories: Sequence[Path], *, with_added: bool = False) -> list[CellResult]:
    """Return the cells of several results directories.

    A cell can have a result in each directory. If the cell completed in at least one directory, only its completed
    results are returned. Trained cells are left out if they provide the losses of cells with
    ``timing: interleaved`` in the same directory.

    If any cell completed in several directories, the ``CellResult.directory`` of each returned cell is set to the short
    name of its results directory, such as ``a/results``.

    Args:
        directories: The results directories.
        with_added: Whether to include cells that no scenario asked for: runs add cells at further link rates to find a
            break-even more precisely.

    Raises:
        LiecbenchError: If a directory has no ledger, or its ledger is damaged.
        NothingToCompareError: If there is no cell to return.
    """
    return select_cells({directory: replay(read(directory)) for directory in directories}, with_added=with_added)


def select_cells(stored: Mapping[Path, Mapping[str, CellResult]], *, with_added: bool = False) -> list[CellResult]:
    """Return the cells to compare, from the cells of several results directories.

    A cell is left out in three cases:

    - A run added the cell, and ``with_added`` is False.
    - The cell provides the losses of interleaved cells in the same directory.
    - The cell is not completed in this directory, but in another one.

    The call sets ``origin`` of the cells. If any cell completed in several directories, it also sets ``directory``.

    Args:
        stored: For each results directory, all cells of its ledger, by id.
        with_added: As in ``load``.

    Raises:
        NothingToCompareError: If there is no cell to return.
    """
    by_directory = {
        directory: [cell for cell in without_used_trajectories(list(found.values())) if with_added or not cell.is_added]
        for directory, found in stored.items()
    }
    for directory, found in by_directory.items():
        for cell in found:
            cell.origin = str(directory)
    completed = Counter(c.id for found in by_directory.values() for c in found if c.status == "completed")
    if any(count > 1 for count in completed.values()):
        for name, found in zip(_short_names(list(stored)), by_directory.values(), strict=True):
            for cell in found:
                cell.directory = name
    every_cell = [cell for found in by_directory.values() for cell in found]
    cells = [cell for cell in every_cell if cell.status == "completed" or not completed[cell.id]]
    if not cells:
        names = ", ".join(map(str, stored))
        raise NothingToCompareError(f"{names}: no cell has begun", "let `liecbench run` finish an epoch")
    return cells


def _short_names(directories: Sequence[Path]) -> list[str]:
    """Return a short, unique name per directory: the end of its path, such as ``a/results`` and ``b/results``."""
    parts = [directory.resolve().parts for directory in dict.fromkeys(directories)]
    length = next((n for n in range(1, 100) if len({path[-n:] for path in parts}) == len(parts)), 100)
    return ["/".join(path[-length:]).replace("//", "/") for path in parts]
