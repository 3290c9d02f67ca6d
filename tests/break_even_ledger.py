"""A synthetic ledger of timing sessions in which psgd is as fast as ddp at 50 Mbit/s."""

import dataclasses
from collections.abc import Sequence

from liecbench.config.cell import Cell
from liecbench.results.records import Record
from tests.ledgers import end, epoch, start, timing

CROSSING = 50e6
PLACEMENTS = 8


def begun(one: Cell) -> Record:
    return dataclasses.replace(start(one.id), spec=one.spec())


def trained(one: Cell) -> list[Record]:
    untimed = [epoch(one.trajectory.id, number, timed=0, seconds=0.0) for number in range(1, one.task.epochs + 1)]
    made = [dataclasses.replace(trained, step_kinds={"step": 22}) for trained in untimed]
    return [begun(one.trajectory), *made, end(one.trajectory.id)]


def timed(one: Cell, placements: int = PLACEMENTS) -> list[Record]:
    """Return a session's records: ddp's time falls with the rate, and psgd takes as long at 50 Mbit/s."""
    assert one.link.default is not None
    seconds = CROSSING / one.link.default.up_bits_per_second if one.algorithm.name == "ddp" else 1.0
    bursts = [
        timing(
            one.contestant,
            setting=one.setting,
            seconds=seconds * (1 + 0.001 * (-1) ** (place + number)),
            placement=place,
            round_=number,
        )
        for place in range(0 if one.seed else placements)  # a session times the steps of all seeds at once
        for number in range(2)
    ]
    return [begun(one), *bursts, end(one.id)]


def ledger(cells: Sequence[Cell], added: Sequence[Cell] = (), placements: int = PLACEMENTS) -> list[Record]:
    trajectories = {one.trajectory.id: one for one in cells}
    return [
        *(record for one in trajectories.values() for record in trained(one)),
        *(record for one in (*cells, *added) for record in timed(one, placements)),
    ]
