import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liecbench.errors import LiecbenchError, NothingToCompareError
from liecbench.results.cells import fold, load
from liecbench.results.ledger import Ledger, Record
from tests.ledgers import end, epoch, run_of, start


def write(directory: Path, records: Sequence[Record]) -> Path:
    directory.mkdir(exist_ok=True)
    with Ledger(directory) as ledger:
        for record in records:
            ledger.append(record)
    return directory


def test_folding_keeps_cells_in_the_order_in_which_they_began() -> None:
    records: list[Record] = [start("b"), start("a", seed=1), epoch("b"), end("b"), epoch("a"), end("a")]
    actual = [(cell.id, len(cell.epochs), cell.status) for cell in fold(records).values()]

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
def test_the_last_word_is_the_status(last: list[Record], expected: tuple[str, str | None]) -> None:
    cell = fold([start("a"), epoch("a"), *last])["a"]

    assert expected == (cell.status, cell.error)


def test_a_later_attempt_goes_on_after_the_epochs_that_stand() -> None:
    again: list[Record] = [start("a", attempt=2, epochs_done=2), epoch("a", 3, attempt=2)]
    cell = fold([start("a"), epoch("a", 1), epoch("a", 2), *again])["a"]

    assert (cell.attempt, [(e.epoch, e.attempt) for e in cell.epochs]) == (2, [(1, 1), (2, 1), (3, 2)])


@given(st.integers(1, 6), st.data())
def test_epochs_trained_again_replace_the_earlier(last: int, data: st.DataObject) -> None:
    again = data.draw(st.integers(1, last))
    first = [epoch("a", number) for number in range(1, last + 1)]
    second = [epoch("a", number, attempt=2) for number in range(again, last + 1)]
    cell = fold([start("a"), *first, start("a", attempt=2, epochs_done=again - 1), *second])["a"]

    assert [*first[: again - 1], *second] == cell.epochs


@pytest.mark.parametrize("orphan", [epoch("a"), end("a")], ids=["epoch", "end"])
def test_a_record_whose_damaged_start_was_removed_is_passed_over(orphan: Record) -> None:
    actual = list(fold([orphan, *run_of("b")]))

    assert actual == ["b"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_a_cell_in_two_directories_the_completed_one_counts(tmp_path: Path, order: tuple[int, int]) -> None:
    directories = [write(tmp_path / "a", [start("x"), epoch("x")]), write(tmp_path / "b", run_of("x", [{}, {}]))]
    cells = load([directories[index] for index in order])

    assert [(cell.id, cell.status, len(cell.epochs)) for cell in cells] == [("x", "completed", 2)]


def test_of_a_cell_that_two_directories_completed_both_are_shown(tmp_path: Path) -> None:
    slow = [*run_of("x", [{"seconds": 4.0}]), *run_of("y", [{"seconds": 1.0}], algorithm="psgd")]
    fast = [*run_of("x", [{"seconds": 2.0}]), *run_of("y", [{"seconds": 1.0}], algorithm="psgd")]
    cells = load([write(tmp_path / "a", slow), write(tmp_path / "b", fast)])
    seen = [(cell.directory, cell.id, cell.epochs[0].train_seconds) for cell in cells]

    assert seen == [("a", "x", 4.0), ("a", "y", 1.0), ("b", "x", 2.0), ("b", "y", 1.0)]


def test_a_cell_whose_spec_is_damaged_is_named(tmp_path: Path) -> None:
    record = start("x")
    directory = write(tmp_path, [dataclasses.replace(record, spec={**record.spec, "workers": 0})])
    with pytest.raises(LiecbenchError) as raised:
        load([directory])

    assert str(raised.value).startswith(f"{directory}: cell x: Input should be greater than or equal to 1 in its spec;")


def test_directories_are_read_together(tmp_path: Path) -> None:
    directories = [write(tmp_path / "a", run_of("x")), write(tmp_path / "b", run_of("y", seed=1))]

    assert [cell.id for cell in load(directories)] == ["x", "y"]


def test_an_empty_ledger_has_nothing_to_compare(tmp_path: Path) -> None:
    directory = write(tmp_path, [])
    with pytest.raises(NothingToCompareError) as raised:
        load([directory])

    assert (4, f"{directory}: no cell has begun; let `liecbench run` finish an epoch") == (
        raised.value.exit_code,
        str(raised.value),
    )
