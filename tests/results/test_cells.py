from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liecbench.config.cell import Cell
from liecbench.results.cells import replay
from liecbench.results.records import Record
from tests import break_even_ledger
from tests.ledgers import end, epoch, run_of, spec, start


def test_replaying_keeps_cells_in_the_order_in_which_they_began() -> None:
    records: list[Record] = [start("b"), start("a", seed=1), epoch("b"), end("b"), epoch("a"), end("a")]
    actual = [(cell.id, len(cell.epochs), cell.status) for cell in replay(records).values()]

    assert actual == [("b", 1, "completed"), ("a", 1, "completed")]


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ([], ("unfinished", None)),
        ([end("a")], ("completed", None)),
        ([end("a", status="failed", error="lost")], ("failed", "lost")),
        ([end("a", status="diverged", error="not finite")], ("diverged", "not finite")),
        ([end("a", status="failed", error="lost"), start("a", attempt=2)], ("unfinished", None)),
        (
            [end("a", status="failed", error="lost"), start("a", attempt=2, epochs_done=1), end("a", attempt=2)],
            ("completed", None),
        ),
        ([start("a", attempt=2), end("a", attempt=2)], ("unfinished", None)),
    ],
)
def test_the_last_record_decides_the_status(last: list[Record], expected: tuple[str, str | None]) -> None:
    cell = replay([start("a"), epoch("a"), *last])["a"]

    assert expected == (cell.status, cell.error)


def test_a_later_attempt_keeps_the_epochs_that_it_continues() -> None:
    again: list[Record] = [start("a", attempt=2, epochs_done=2), epoch("a", 3, attempt=2)]
    cell = replay([start("a"), epoch("a", 1), epoch("a", 2), *again])["a"]

    assert (cell.attempt, [(e.epoch, e.attempt) for e in cell.epochs]) == (2, [(1, 1), (2, 1), (3, 2)])


@given(st.integers(1, 6), st.data())
def test_epochs_trained_again_replace_the_earlier(last: int, data: st.DataObject) -> None:
    again = data.draw(st.integers(1, last))
    first = [epoch("a", number) for number in range(1, last + 1)]
    second = [epoch("a", number, attempt=2) for number in range(again, last + 1)]
    cell = replay([start("a"), *first, start("a", attempt=2, epochs_done=again - 1), *second])["a"]

    assert [*first[: again - 1], *second] == cell.epochs


@pytest.mark.parametrize("orphan", [epoch("a"), end("a")], ids=["epoch", "end"])
def test_a_record_without_a_start_is_ignored(orphan: Record) -> None:
    actual = list(replay([orphan, *run_of("b")]))

    assert actual == ["b"]


@pytest.mark.parametrize("status", ["failed", "diverged"])
def test_a_timed_cell_whose_training_failed_did_not_complete(status: Any) -> None:
    one = Cell.from_spec(spec(link="10mbit", timing="interleaved"))
    made = list(break_even_ledger.ledger([one], placements=1))
    assert replay(made)[one.id].status == "completed"
    place = made.index(end(one.trajectory.id))
    made[place] = end(one.trajectory.id, status=status, error="the loss is NaN")

    found = replay(made)[one.id]

    assert (found.status, found.error) == (status, "the loss is NaN")
