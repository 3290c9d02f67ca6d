"""Results whose ranks replayed a profile: ddp and psgd on two links, in dilated time or not."""

from typing import Any

from liecbench.config.cell import Cell
from liecbench.results.cells import replay, without_used_trajectories
from liecbench.results.comparison import Comparison, compare
from liecbench.results.records import Record
from tests import break_even_ledger
from tests.ledgers import dilated, spec

LINKS = ("10mbit", "100mbit")


def records(dilation: float = 1.0, **fields: Any) -> list[Record]:
    """Return the records of ddp and psgd on both links; ``fields`` are those of their specs."""
    cells = [
        Cell.from_spec(spec(name, link=link, timing="interleaved", **fields))
        for link in LINKS
        for name in ("ddp", "psgd")
    ]
    found = break_even_ledger.ledger(cells, placements=2)
    return [dilated(record, dilation) for record in found] if dilation > 1 else found


def comparison(*ledgers: list[Record]) -> Comparison:
    """Return the comparison of the cells in these records."""
    found = replay(record for one in ledgers for record in one).values()
    return compare(without_used_trajectories(list(found)), baseline="ddp")
