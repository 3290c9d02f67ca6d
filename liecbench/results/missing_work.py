"""A note on the trainings and timing sessions that a results directory lacks, because its last run was interrupted."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from liecbench.config.cell import Cell
from liecbench.config.cell_keys import contestant_key
from liecbench.config.method_labels import method_label
from liecbench.config.short_lists import shortened
from liecbench.results.asked_cells import AskedCells
from liecbench.results.cells import CellResult
from liecbench.results.run_again import run_again
from liecbench.untrusted.plain_text import one_line


def missing_notes(directory: Path, asked: AskedCells, done: Mapping[str, CellResult]) -> list[str]:
    """Return a list with one note on what the last run did not finish; an empty list if it finished everything.

    The note names the trainings and the links that are not finished, and the command that goes on. What failed or
    diverged counts as finished.

    Args:
        directory: The results directory.
        asked: The cells that its last run asked for.
        done: All cells of its ledger, by id.
    """
    ended = {id_ for id_, cell in done.items() if cell.status != "unfinished"}
    left = asked.without(ended)
    if not left:
        return []
    trained = [found for cell in left if (found := _training(cell)) is not None]
    trainings = list({cell.id: cell for cell in trained if cell.id not in ended}.values())
    kinds = [alike.with_seed(alike.seeds[0]) for alike in asked.cells]
    lacking = [*_trainings(trainings, kinds), *_links(_untimed(left, done), kinds)]
    # An interruption just after a session leaves cells for which there is nothing to train or to time.
    what = ", and ".join(lacking) or f"the last record of {len(left)} cell{'s' if len(left) > 1 else ''}"
    command = run_again(directory, asked.only)
    return [one_line(f"{directory} is not finished: it lacks {what}; {command} goes on")]


def _training(cell: Cell) -> Cell | None:
    """Return the cell that is trained for ``cell``, which may be itself; None if only steps of a profile are timed."""
    if cell.timing != "interleaved":
        return cell
    return cell.trajectory if cell.is_trained else None


def _untimed(left: Iterable[Cell], done: Mapping[str, CellResult]) -> list[Cell]:
    """Return the cells that wait for a timing session.

    Cells with equal step times, such as those of other seeds, need one session. Cells whose training diverged need
    none.
    """
    timed = {contestant_key(cell.spec) for cell in done.values() if cell.timings and cell.status == "completed"}
    waiting = [cell for cell in left if cell.timing == "interleaved" and cell.contestant not in timed]
    return [cell for cell in waiting if not _diverged(_training(cell), done)]


def _diverged(training: Cell | None, done: Mapping[str, CellResult]) -> bool:
    return training is not None and training.id in done and done[training.id].status == "diverged"


def _trainings(cells: Sequence[Cell], asked: Sequence[Cell]) -> list[str]:
    """Return a list with a text such as ``the trainings of psgd (seeds 0 and 1)``; an empty list without cells."""
    seeds: dict[str, dict[int, None]] = {}
    for cell in cells:
        method = method_label(cell.algorithm, cell.compressor, [(one.algorithm, one.compressor) for one in asked])
        seeds.setdefault(" · ".join([method, *_place(cell, cells, asked)]), {})[cell.seed] = None
    named = [f"{name} (seed{'s' if len(of) > 1 else ''} {shortened([*map(str, of)])})" for name, of in seeds.items()]
    return [f"the training{'s' if len(cells) > 1 else ''} of {shortened(named)}"] if named else []


def _links(cells: Sequence[Cell], asked: Sequence[Cell]) -> list[str]:
    """Return a list with a text such as ``the timing on 20mbit and 1gbit``; an empty list without cells."""
    named = dict.fromkeys(" · ".join([_link(cell), *_workers(cell, asked)]) for cell in cells)
    return [f"the timing on {shortened(list(named))}"] if named else []


def _place(cell: Cell, cells: Sequence[Cell], asked: Sequence[Cell]) -> list[str]:
    """Return texts: the number of workers if it varies over ``asked``, and the link if it varies over ``cells``."""
    return [*_workers(cell, asked), *([_link(cell)] if len({one.link for one in cells}) > 1 else [])]


def _workers(cell: Cell, asked: Sequence[Cell]) -> list[str]:
    return [f"{cell.workers} workers"] if len({one.workers for one in asked}) > 1 else []


def _link(cell: Cell) -> str:
    return str(cell.link) if cell.link.shaped else f"link {cell.link}"
