import dataclasses
from typing import Any

import pytest

from liecbench.config.cell import Cell
from liecbench.launch.pending import jobs_left
from liecbench.results.cells import replay
from liecbench.results.records import Composed, KindTime, Record
from tests.ledgers import end, epoch, spec, start


def cells(*links: Any, **changes: Any) -> list[Cell]:
    return [Cell.from_spec(spec(link=link, timing="composed", **changes)) for link in links]


def planned(cells: list[Cell], *records: Record) -> list[tuple[str, str | None]]:
    """The link of every job, and the link of what it is composed with."""
    links = {cell.id: str(cell.link) for cell in cells}
    return [
        (str(job.cell.link), job.trajectory and links.get(job.trajectory, job.trajectory))
        for job in jobs_left(cells, replay(records))
    ]


def trained(cell: Cell, status: Any = "completed") -> list[Record]:
    fields = {name: value for name, value in cell.spec().items() if name not in ("algorithm", "task")}
    return [start(cell.id, **fields), epoch(cell.id), end(cell.id, status=status)]


def composed(cell: Cell, trajectory: str) -> list[Record]:
    kind = KindTime(steps=22, timed_steps=8, mean_seconds=1.0, half_width_seconds=0.01)
    began, _, ended = trained(cell)
    parts = Composed(trajectory=trajectory, kinds={"step": kind})
    return [began, dataclasses.replace(epoch(cell.id), composed=parts), ended]


def test_a_measured_cell_has_no_trajectory() -> None:
    measured = [Cell.from_spec(spec(link=link)) for link in ("10mbit", "20mbit")]

    assert planned(measured) == [("10mbit", None), ("20mbit", None)]


def test_the_fastest_link_is_trained_first_and_the_others_follow_in_their_order() -> None:
    actual = planned(cells("10mbit", "100mbit", "20mbit"))

    assert actual == [("100mbit", None), ("10mbit", "100mbit"), ("20mbit", "100mbit")]


@pytest.mark.parametrize(
    ("links", "fastest"),
    [
        (["10mbit", {"up": "5mbit", "down": "100mbit"}], "10mbit"),
        ([{"rate": "50mbit", "delay": "10ms"}, "50mbit"], "50mbit"),
        ([{"rate": "50mbit", "workers": {"1": "5mbit"}}, "10mbit"], "10mbit"),
        ([{"rate": "1gbit", "delay": "1ms"}, "50mbit"], "1gbit 1ms"),
    ],
)
def test_the_fastest_link_is_that_of_the_slowest_worker(links: list[Any], fastest: str) -> None:
    (first, nothing), *_ = planned(cells(*links))

    assert (fastest, None) == (first, nothing)


def test_every_trajectory_is_trained_by_itself() -> None:
    two = [*cells("10mbit", "20mbit", seed=1), *cells("10mbit", "20mbit", algorithm="ddp2", seed=2)]
    jobs = jobs_left(two, {})

    assert [(1, None), (2, None), (1, two[1].id), (2, two[3].id)] == [(j.cell.seed, j.trajectory) for j in jobs]


def test_other_kinds_of_networks_are_trained_on_their_own() -> None:
    actual = planned(cells("none", "10mbit", "20mbit", "host"))

    assert actual == [("none", None), ("20mbit", None), ("host", None), ("10mbit", "20mbit")]


def test_a_cell_that_was_trained_before_stays_the_trajectory() -> None:
    slow, fast = cells("10mbit", "100mbit")

    assert planned([slow, fast], *trained(slow)) == [("100mbit", "10mbit")]


def test_a_trained_cell_that_is_not_asked_for_is_taken_too() -> None:
    slow, fast = cells("10mbit", "100mbit")

    assert [("10mbit", fast.id)] == planned([slow], *trained(fast))


def test_a_composed_cell_is_no_trajectory() -> None:
    slow, middle, fast = cells("10mbit", "50mbit", "100mbit")
    records = [*trained(fast), *composed(slow, fast.id)]

    assert planned([slow, middle, fast], *records) == [("50mbit", "100mbit")]


def test_a_trajectory_that_was_lost_under_way_goes_on() -> None:
    slow, fast = cells("10mbit", "100mbit")

    assert planned([slow, fast], *trained(slow)[:2]) == [("10mbit", None), ("100mbit", "10mbit")]


def test_a_trajectory_that_is_not_asked_for_is_taken_only_when_it_is_over() -> None:
    slow, fast = cells("10mbit", "100mbit")

    assert planned([slow], *trained(fast)[:2]) == [("10mbit", None)]


@pytest.mark.parametrize("num_epochs", [0, 1])
def test_another_link_is_trained_where_the_fastest_failed(num_epochs: int) -> None:
    slow, middle, fast = cells("10mbit", "50mbit", "100mbit")
    began, made, ended = trained(fast, "failed")
    records = [began, *[made][:num_epochs], ended]

    assert planned([slow, middle, fast], *records) == [("50mbit", None), ("10mbit", "50mbit"), ("100mbit", "50mbit")]


def test_a_copy_with_another_field_has_another_id() -> None:
    (cell,) = cells("10mbit")
    before = cell.id
    copy = cell.model_copy(update={"seed": 5})

    assert (before, True) == (cell.id, copy.id != before)
    assert Cell.from_spec(copy.spec()).id == copy.id
