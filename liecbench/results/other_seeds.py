"""A note on seeds that a results directory has, but that a comparison leaves out."""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from liecbench.config.known_specs import alike_key
from liecbench.config.short_lists import shortened
from liecbench.results.cells import CellResult


def other_seeds_notes(compared: Sequence[CellResult], stored: Iterable[CellResult], directory: Path) -> list[str]:
    """Return a list with one note that names the seeds which a comparison leaves out; an empty list if there are none.

    Args:
        compared: The cells of the comparison.
        stored: All cells of the results directory. A cell counts as left out if it has ended, and differs only in the
            seed from a cell in ``compared``.
        directory: The results directory.
    """
    ids, alike = {cell.id for cell in compared}, {alike_key(cell.spec) for cell in compared}
    others = [cell for cell in stored if cell.id not in ids and cell.status != "unfinished"]
    seeds = sorted({cell.spec["seed"] for cell in others if alike_key(cell.spec) in alike})
    if not seeds:
        return []
    named = f"seed{'s' if len(seeds) > 1 else ''} {shortened([str(seed) for seed in seeds])}"
    whole = f"`{shlex.join(['liecbench', 'compare', str(directory)])}` compares all seeds"
    return [f"{directory} also has {named}, which this run did not ask for and leaves out; {whole}"]
