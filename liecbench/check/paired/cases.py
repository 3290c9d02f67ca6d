"""Which cells of A and B are compared: in the order of their matrices, one seed of each."""

import json
from collections.abc import Sequence

from liecbench.check.case_labels import pair_names
from liecbench.check.paired.session import Case
from liecbench.config.cell import Cell
from liecbench.errors import LiecbenchError


def cases_of(a: Sequence[Cell], b: Sequence[Cell]) -> list[Case]:
    """A case for each two cells; LiecbenchError where A and B do not have as many."""
    ours, theirs = _first_seeds(a), _first_seeds(b)
    if len(ours) != len(theirs):
        message = f"A has {len(ours)} cells besides its seeds, and B {len(theirs)}: they are compared one by one"
        raise LiecbenchError(message, "give them matrices of the same shape, or choose with --only")
    labels = pair_names(ours, theirs)
    return [Case(label=label, a=mine, b=other) for label, mine, other in zip(labels, ours, theirs, strict=True)]


def _first_seeds(cells: Sequence[Cell]) -> list[Cell]:
    """Of cells that differ in the seed alone the first: no seed changes what a step takes."""
    first: dict[str, Cell] = {}
    for cell in cells:
        first.setdefault(json.dumps({**cell.spec(), "seed": None}, sort_keys=True), cell)
    return list(first.values())
