"""Cases of a paired comparison: each cell of A with the cell of B at the same place in the matrix."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from liecbench.check.case_labels import pair_labels
from liecbench.config.cell import Cell
from liecbench.errors import LiecbenchError
from liecbench.launch.launch import launch_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A cell of A and the cell of B that it is compared with.

    Attributes:
        label: The case's name.
        a: A's cell.
        b: B's cell.
        slowdown: Share of A's step time by which B's steps are made to take longer; for the gate's self-test.
    """

    label: str
    a: Cell
    b: Cell
    slowdown: float = 0.0

    @property
    def launch_key(self) -> tuple[object, ...]:
        """A key; cases with the same key can be measured by the same ranks."""
        return (launch_key(self.a), launch_key(self.b))


def cases_of(a: Sequence[Cell], b: Sequence[Cell]) -> list[Case]:
    """Return a case for each cell of A and the cell of B at its place, one seed of each.

    Raises:
        LiecbenchError: If A and B differ in their number of cells.
    """
    cells_a, cells_b = _first_seeds(a), _first_seeds(b)
    if len(cells_a) != len(cells_b):
        message = f"A has {len(cells_a)} cells besides its seeds, and B {len(cells_b)}: they are compared one by one"
        raise LiecbenchError(message, "give them matrices of the same shape, or choose with --only")
    labels = pair_labels(cells_a, cells_b)
    return [Case(label=label, a=one, b=other) for label, one, other in zip(labels, cells_a, cells_b, strict=True)]


def _first_seeds(cells: Sequence[Cell]) -> list[Cell]:
    """Return the first of the cells that differ in the seed alone: the seed does not change the time of a step."""
    first: dict[str, Cell] = {}
    for cell in cells:
        first.setdefault(json.dumps({**cell.spec(), "seed": None}, sort_keys=True), cell)
    return list(first.values())
