from typing import Any

import pytest

from liecbench.config.cell import Cell, Job
from liecbench.estimate.cost import timing_wire_seconds, wire_seconds_per_epoch
from liecbench.estimate.eta import TimeLeft
from tests.ledgers import spec


def cell(**changes: Any) -> Cell:
    return Cell.from_spec(spec(**{"link": "1mbit", **changes}))


def test_the_time_left_is_unknown_before_the_first_epoch() -> None:
    assert TimeLeft([Job(cell=cell())]).seconds() is None


def test_the_time_beyond_the_links_is_added_on_other_links() -> None:
    slow, fast = cell(), cell(link="10mbit")
    left = TimeLeft([Job(cell=slow), Job(cell=fast)])
    left.start_cell(slow.id, 0)
    left.finish_epoch(slow.id, wire_seconds_per_epoch(slow) + 0.5)

    expected = wire_seconds_per_epoch(slow) + 0.5 + 2 * (wire_seconds_per_epoch(fast) + 0.5)
    assert expected == pytest.approx(left.seconds())


def test_a_methods_own_epochs_are_used_where_there_are_any() -> None:
    ddp, psgd = cell(link="none"), cell(algorithm="psgd", server="sharded", link="none")
    left = TimeLeft([Job(cell=ddp), Job(cell=psgd)])
    left.finish_epoch(ddp.id, 3.0)
    before = left.seconds()
    left.finish_epoch(psgd.id, 1.0)

    assert pytest.approx((before, left.seconds())) == (3.0 + 2 * 3.0, 3.0 + 1.0)


def test_an_ended_cell_takes_no_more_time() -> None:
    one, other = cell(link="none"), cell(link="none", seed=1)
    left = TimeLeft([Job(cell=one), Job(cell=other, epochs_done=1)])
    left.finish_epoch(one.id, 2.0)
    left.end_cell(one.id)

    assert left.seconds() == pytest.approx(2.0)


def test_composed_cells_are_estimated_from_composed_cells() -> None:
    trained, first, second = cell(link="10mbit"), cell(), cell(link="2mbit")
    composed = [Job(cell=c, trajectory=trained.id) for c in (first, second)]
    left = TimeLeft([Job(cell=trained), *composed])
    for _ in range(2):
        left.finish_epoch(trained.id, 100.0)
    left.end_cell(trained.id)
    assert timing_wire_seconds(first) + timing_wire_seconds(second) == pytest.approx(left.seconds())
    left.start_cell(first.id, 0)
    left.finish_epoch(first.id, timing_wire_seconds(first) + 0.7)
    left.finish_epoch(first.id, 0.0)
    left.end_cell(first.id)

    assert timing_wire_seconds(second) + 0.7 == pytest.approx(left.seconds())


def test_half_of_a_cell_is_half_done() -> None:
    one = cell(link="none")
    left = TimeLeft([Job(cell=one)])
    assert left.share_of_current() == 0
    left.start_cell(one.id, 0)
    left.finish_epoch(one.id, 1.0)

    assert left.share_of_current() == 0.5
