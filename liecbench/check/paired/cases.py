"""Cases of a paired comparison of two sides, A and B: pairs of one cell of A and one cell of B.

The first cell of A is compared with the first cell of B, the second with the second, and so on. A cell is one
configuration of a side's matrix with one seed. Only the first seed of each configuration is compared.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from liecbench.check.case_labels import pair_labels
from liecbench.config.cell import Cell
from liecbench.errors import LiecbenchError
from liecbench.launch.launch import launch_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A cell of side A, and the cell of side B that it is compared with.

    A side is a scenario, a git revision or a Python interpreter.

    Attributes:
        label: The case's name.
        a: The cell that side A trains.
        b: The cell that side B trains.
        slowdown: The delay that is added to each step of side B, as a share of side A's step time. It is 0 except in
            the self-test.
    """

    label: str
    a: Cell
    b: Cell
    slowdown: float = 0.0

    @property
    def launch_key(self) -> tuple[object, ...]:
        """Key by which cases are grouped for launches.

        If cases have equal keys, the ranks of both sides need to start only once to measure these cases in turn.
        """
        return (launch_key(self.a), launch_key(self.b))


def cases_of(a: Sequence[Cell], b: Sequence[Cell]) -> list[Case]:
    """Return one case per pair of cells: the first cells of A and B, the second cells of A and B, and so on.

    Before the cells are paired, those that differ from an earlier cell of their side only in the seed are removed.

    Raises:
        LiecbenchError: If A and B have different numbers of cells after the removal.
    """
    cells_a, cells_b = _first_seeds(a), _first_seeds(b)
    if len(cells_a) != len(cells_b):
        message = f"A has {len(cells_a)} cells besides its seeds, and B {len(cells_b)}: they are compared one by one"
        raise LiecbenchError(message, "give them matrices of the same shape, or choose with --only")
    labels = pair_labels(cells_a, cells_b)
    return [Case(label=label, a=one, b=other) for label, one, other in zip(labels, cells_a, cells_b, strict=True)]


def _first_seeds(cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells without those that differ from an earlier cell only in the seed.

    The seed does not change the time of a step.
    """
    first: dict[str, Cell] = {}
    for cell in cells:
        first.setdefault(json.dumps({**cell.spec(), "seed": None}, sort_keys=True), cell)
    return list(first.values())
