from typing import Any

import pytest

from liecbench.config.cell import Cell, Job
from liecbench.estimate.cost import timing_wire_seconds, wire_seconds_per_epoch
from liecbench.estimate.eta import TimeLeft
from tests.ledgers import spec


def cell(**changes: Any) -> Cell:
    return Cell.from_spec(spec(**{"link": "1mbit", **changes}))


def test_nothing_is_known_before_anything_was_learnt() -> None:
    assert TimeLeft([Job(cell=cell())]).seconds() is None


def test_what_a_method_took_beyond_its_wire_is_added_to_other_links_wires() -> None:
    slow, fast = cell(), cell(link="10mbit")
    left = TimeLeft([Job(cell=slow), Job(cell=fast)])
    left.begins(slow.id, 0)
    left.trained(slow.id, wire_seconds_per_epoch(slow) + 0.5)

    expected = wire_seconds_per_epoch(slow) + 0.5 + 2 * (wire_seconds_per_epoch(fast) + 0.5)
    assert expected == pytest.approx(left.seconds())


def test_a_methods_own_epochs_count_more_than_those_of_others() -> None:
    ddp, psgd = cell(link="none"), cell(algorithm="psgd", server="sharded", link="none")
    left = TimeLeft([Job(cell=ddp), Job(cell=psgd)])
    left.trained(ddp.id, 3.0)
    before = left.seconds()
    left.trained(psgd.id, 1.0)

    assert pytest.approx((before, left.seconds())) == (3.0 + 2 * 3.0, 3.0 + 1.0)


def test_a_cell_that_is_over_takes_no_more_time() -> None:
    one, other = cell(link="none"), cell(link="none", seed=1)
    left = TimeLeft([Job(cell=one), Job(cell=other, epochs_done=1)])
    left.trained(one.id, 2.0)
    left.over(one.id)

    assert left.seconds() == pytest.approx(2.0)


def test_composed_cells_are_learnt_from_composed_cells() -> None:
    trained, first, second = cell(link="10mbit"), cell(), cell(link="2mbit")
    composed = [Job(cell=c, trajectory=trained.id) for c in (first, second)]
    left = TimeLeft([Job(cell=trained), *composed])
    for _ in range(2):
        left.trained(trained.id, 100.0)
    left.over(trained.id)
    assert timing_wire_seconds(first) + timing_wire_seconds(second) == pytest.approx(left.seconds())
    left.begins(first.id, 0)
    left.trained(first.id, timing_wire_seconds(first) + 0.7)
    left.trained(first.id, 0.0)
    left.over(first.id)

    assert timing_wire_seconds(second) + 0.7 == pytest.approx(left.seconds())


def test_half_of_a_cell_is_half_done() -> None:
    one = cell(link="none")
    left = TimeLeft([Job(cell=one)])
    assert left.share_of_current() == 0
    left.begins(one.id, 0)
    left.trained(one.id, 1.0)

    assert left.share_of_current() == 0.5
