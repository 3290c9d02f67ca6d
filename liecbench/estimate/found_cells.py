"""The lines of a dry run on the cells that the results directory already has, in whole or in part."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from liecbench.config.cell import Cell
from liecbench.estimate.method_names import method_names, seeds_text
from liecbench.launch.pending import Pending
from liecbench.results.cells import CellResult


def found_lines(cells: Sequence[Cell], found: Mapping[str, CellResult], pending: Pending) -> Iterator[str]:
    """Yield a line per group of cells that differ only in the seed and have the same progress.

    A progress is, for example, ``trained, not yet timed``. Cells without any progress have no line.

    Args:
        cells: All cells of the run.
        found: The results in the results directory, by cell id.
        pending: The work that is left of the run.
    """
    to_train = {job.cell.id for job in pending.jobs}
    to_time = {job.cell.id for session in pending.sessions for job in session.jobs}
    together: dict[tuple[str, int, str, str], list[int]] = {}
    for cell, name in zip(cells, method_names(cells), strict=True):
        state = _done(cell, found) if cell.id not in pending.cells else _partly_done(cell, found, to_train, to_time)
        if state is not None:
            together.setdefault((name, cell.workers, str(cell.link), state), []).append(cell.seed)
    for (name, workers, link, state), seeds in together.items():
        yield f"  {name} · {workers} workers · {link} · {seeds_text(seeds)}: {state}"


def _done(cell: Cell, found: Mapping[str, CellResult]) -> str:
    if cell.id in found and found[cell.id].status == "diverged":
        return "diverged"
    return "trained and timed" if cell.is_trained else "timed"


def _partly_done(
    cell: Cell, found: Mapping[str, CellResult], to_train: Collection[str], to_time: Collection[str]
) -> str | None:
    """Return what is there of a cell that is not done, such as ``trained, not yet timed``; None if there is nothing.

    ``to_train`` and ``to_time`` are the ids of the cells that are still to be trained and timed.
    """
    result, training = found.get(cell.id), found.get(cell.trained_cell.id)
    if cell.trained_cell.id in to_train:
        return None if training is None else _begun(training, cell.task.epochs)
    if training is not None and training.status == "diverged":
        return "diverged"
    before = "trained, " if cell.is_trained else ""
    if result is not None and result.status == "failed":
        return f"{before}timing failed"
    if result is not None and result.status == "completed":
        return f"{before}timed less precisely than timing_precision"
    if cell.id not in to_time:
        return f"{before}timed with another cell that has the same steps"
    return "trained, not yet timed" if cell.is_trained else None


def _begun(training: CellResult, num_epochs: int) -> str | None:
    failed = training.status == "failed"
    if not training.epochs:
        return "failed" if failed else None
    return f"{len(training.epochs)} of {num_epochs} epochs trained{', then failed' if failed else ''}"
