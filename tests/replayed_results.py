"""Results whose ranks replayed a profile: ddp and psgd on two links, in dilated time or not."""

import dataclasses
from typing import Any

from liecbench.config.cell import Cell
from liecbench.results.cells import replay, without_used_trajectories
from liecbench.results.comparison import Comparison
from liecbench.results.comparison_of_cells import compare
from liecbench.results.records import Record
from tests import break_even_ledger
from tests.ledgers import dilated, end, spec, start, timing

PROFILE = "0123456789abcdef" * 4
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


def timed_only(dilation: float = 1.0) -> list[Record]:
    """Return the records of cells that replay a profile and train nothing: psgd is faster than ddp at 10 Mbit/s."""
    fields: dict[str, Any] = {"compute": "replayed", "profile": PROFILE, "timing": "interleaved"}
    found: list[Record] = []
    for link in LINKS:
        for name in ("ddp", "psgd"):
            options = {"name": name, **({"average_period": 4} if name == "psgd" else {})}
            cell = Cell.from_spec(
                {**spec(name, link=link, **fields), "algorithm": options, "task": {"profile": PROFILE}}
            )
            found += break_even_ledger.timed(cell, placements=2)
    return [dilated(record, dilation) for record in found] if dilation > 1 else found


def only_timed(workers: int, samples: int | None, *, step_seconds: float = 0.1) -> list[Record]:
    """Return a cell that is only timed; all ranks together have ``samples`` samples in a step."""
    replayed = spec(compute="replayed", profile=PROFILE, timing="interleaved", workers=workers)
    cell = Cell.from_spec({**replayed, "task": {"profile": PROFILE}})
    places = [(place, number) for place in (0, 1) for number in (0, 1)]
    bursts = [
        timing(
            cell.contestant,
            seconds=10 * step_seconds,
            setting=cell.setting,
            placement=place,
            round_=number,
            step_samples=samples,
        )
        for place, number in places
    ]
    return [dataclasses.replace(start(cell.id), spec=cell.spec()), *bursts, end(cell.id)]


def comparison(*ledgers: list[Record]) -> Comparison:
    """Return the comparison of the cells in these records."""
    found = replay(record for one in ledgers for record in one).values()
    return compare(without_used_trajectories(list(found)), baseline="ddp")
