from pathlib import Path
from typing import Any

import pytest

from liecbench.config.cell import Cell
from liecbench.config.jobs import Contestant, Job, Session
from liecbench.estimate.eta import TimeLeft
from liecbench.estimate.session_cost import session_limit
from liecbench.estimate.wire_time import wire_seconds_per_epoch
from liecbench.launch.pending import Pending
from tests.estimate.replayed_sessions import NUM_BYTES, profile_file, session
from tests.ledgers import spec


def cell(**changes: Any) -> Cell:
    return Cell.from_spec(spec(**{"link": "1mbit", **changes}))


def test_the_time_left_is_unknown_before_the_first_epoch() -> None:
    assert TimeLeft(Pending(jobs=(Job(cell=cell()),))).seconds() is None


def test_the_time_beyond_the_links_is_added_on_other_links() -> None:
    slow, fast = cell(), cell(link="10mbit")
    left = TimeLeft(
        Pending(
            jobs=(
                Job(cell=slow),
                Job(cell=fast),
            )
        )
    )
    left.start_cell(slow.id, 0)
    left.finish_epoch(slow.id, wire_seconds_per_epoch(slow) + 0.5)

    expected = wire_seconds_per_epoch(slow) + 0.5 + 2 * (wire_seconds_per_epoch(fast) + 0.5)
    assert expected == pytest.approx(left.seconds())


def test_a_methods_own_epochs_are_used_where_there_are_any() -> None:
    ddp, psgd = cell(link="none"), cell(algorithm="psgd", server="sharded", link="none")
    left = TimeLeft(
        Pending(
            jobs=(
                Job(cell=ddp),
                Job(cell=psgd),
            )
        )
    )
    left.finish_epoch(ddp.id, 3.0)
    before = left.seconds()
    left.finish_epoch(psgd.id, 1.0)

    assert pytest.approx((before, left.seconds())) == (3.0 + 2 * 3.0, 3.0 + 1.0)


def test_an_ended_cell_takes_no_more_time() -> None:
    one, other = cell(link="none"), cell(link="none", seed=1)
    left = TimeLeft(
        Pending(
            jobs=(
                Job(cell=one),
                Job(cell=other, epochs_done=1),
            )
        )
    )
    left.finish_epoch(one.id, 2.0)
    left.end_cell(one.id)

    assert left.seconds() == pytest.approx(2.0)


def test_a_session_is_estimated_before_it_begins_and_then_by_its_rounds() -> None:
    one = cell(timing="interleaved")
    session = Session(contestants=(Contestant(cell=one, jobs=(Job(cell=one),)),), precision=0.02)
    left = TimeLeft(Pending(sessions=(session,), cells=frozenset({one.id})))

    assert left.seconds() == pytest.approx(session_limit(session))
    left.begin_turn(one.id, 1, 10, 100.0)
    left.begin_turn(one.id, 3, 12, 108.0)  # two rounds took 8 s, ten are left
    assert left.seconds() == pytest.approx(40.0)
    left.end_cell(one.id)
    assert left.seconds() == 0.0


def test_a_dilated_session_may_take_longer_than_the_limit(tmp_path: Path) -> None:
    dilated = session(profile_file(tmp_path), "ddp", workers=2, link="10mbit", dilation=10)
    left = TimeLeft(Pending(sessions=(dilated,)))

    # At least four rounds, and a burst that probes before the first: each has a step before the two that it times.
    wire_seconds = 10 * (4 + 1) * 3 * 8 * NUM_BYTES / 10e6
    assert left.seconds() == pytest.approx(wire_seconds, rel=0.1)
    assert wire_seconds > 2 * session_limit(dilated)


def test_nobody_knows_how_long_link_rates_are_added() -> None:
    one, added = cell(timing="interleaved"), cell(timing="interleaved").at_rate(7 * 10**6)
    left = TimeLeft(Pending(cells=frozenset({one.id})))
    assert left.seconds() == 0.0

    left.begin_turn(added.id, 1, 10, 100.0)

    assert left.seconds() is None


def test_half_of_a_cell_is_half_done() -> None:
    one = cell(link="none")
    left = TimeLeft(Pending(jobs=(Job(cell=one),)))
    assert left.share_of_current() == 0
    left.start_cell(one.id, 0)
    left.finish_epoch(one.id, 1.0)

    assert left.share_of_current() == 0.5
