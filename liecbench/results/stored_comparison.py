"""The comparison of all cells that results directories hold, as ``liecbench compare`` shows it."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from liecbench.config.short_lists import listed
from liecbench.errors import LiecbenchError
from liecbench.results.asked_cells import AskedCells, read_asked
from liecbench.results.cell_groups import check_baseline
from liecbench.results.cells import CellResult, replay
from liecbench.results.comparison import Comparison
from liecbench.results.comparison_of_cells import compare
from liecbench.results.comparison_settings import comparison_settings
from liecbench.results.ledger_reader import read
from liecbench.results.loading_times import loading_notes, with_loading
from liecbench.results.missing_work import missing_notes
from liecbench.results.stored_cells import select_cells


def load_comparison(
    directories: Sequence[Path],
    *,
    notify: Callable[[str], None],
    baseline: str | None = None,
    tuned_field: str | None = None,
    by: str = "algorithm",
    metrics: Sequence[str] = (),
    wide: bool = False,
    includes_loading: bool = False,
) -> Comparison:
    """Return the comparison of all cells in ``directories``.

    The targets, the tolerances and, if ``baseline`` is None, the baseline are those of the first directory's scenario.

    Args:
        directories: At least one results directory.
        notify: Called with a sentence if the scenarios of the directories ask for different settings.
        baseline: The algorithm that the others are compared with; None for the baseline in the scenario.
        tuned_field: The name of a field, such as ``learning_rate``. Each method is compared at its best value of the
            field. None to compare all cells.
        by: The name of the field that rows are grouped by.
        metrics: The names of the metrics to show as columns; empty for the default ones.
        wide: True to show more metrics.
        includes_loading: True to count the loading of batches in all times.

    Raises:
        LiecbenchError: If a directory has no ledger, its ledger is damaged, or no cell has the asked-for baseline.
    """
    settings = comparison_settings(directories[0])
    for other in directories[1:]:
        found = comparison_settings(other)
        # An explicit baseline replaces that of every scenario.
        asked = found if baseline is None else dataclasses.replace(found, baseline=settings.baseline)
        if differences := asked.differences(settings):
            used = f"this comparison uses the values of {directories[0]}"
            notify(f"{other}: its scenario has {listed(differences)}; {used}")
    stored = {directory: replay(read(directory)) for directory in directories}
    cells = select_cells(stored, with_added=True)
    if baseline is not None:
        check_baseline(cells, baseline)
    runs, notes = _asked_cells(directories)
    for directory, run in runs.items():
        notes += missing_notes(directory, run, stored[directory])
    notes += loading_notes(cells) if includes_loading else []
    comparison = compare(
        list(map(with_loading, cells)) if includes_loading else cells,
        baseline=baseline or settings.baseline,
        target_accuracy=settings.target_accuracy,
        target_loss=settings.target_loss,
        tolerances=settings.tolerances,
        by=by,
        metrics=metrics,
        wide=wide,
        tuned_field=tuned_field,
        directories=directories,
        only=_conditions(runs, cells),
        notes=notes,
    )
    chosen = {"--by": by if by != "algorithm" else None, "--baseline": baseline, "--best": tuned_field}
    options = [word for name, value in chosen.items() if value is not None for word in (name, value)]
    return dataclasses.replace(comparison, options=(*options, *["--with-loading"] * includes_loading))


def _asked_cells(directories: Sequence[Path]) -> tuple[dict[Path, AskedCells], list[str]]:
    """Return the cells that each directory's last run asked for, and a note for each ``cells.json`` that is unusable.

    A directory without a ``cells.json`` is left out. Earlier versions of liecbench did not write this file.
    """
    found: dict[Path, AskedCells] = {}
    notes = []
    for directory in directories:
        try:
            asked = read_asked(directory)
        except LiecbenchError as error:
            notes.append(str(error))  # results can be compared without the file
        else:
            found |= {} if asked is None else {directory: asked}
    return found, notes


def _conditions(runs: Mapping[Path, AskedCells], cells: Sequence[CellResult]) -> list[str]:
    """Return the conditions of ``--only`` of the last run; an empty list if the run did not ask for all ``cells``."""
    if len(runs) != 1:
        return []
    (run,) = runs.values()
    asked = run.ids() if run.only else set[str]()
    return run.only if all(cell.id in asked for cell in cells if not cell.is_added) else []
