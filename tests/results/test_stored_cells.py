from pathlib import Path

import pytest

from liecbench.config.cell import Cell
from liecbench.errors import LiecbenchError, NothingToCompareError
from liecbench.results.ledger import LEDGER_NAME
from liecbench.results.records import Record
from liecbench.results.rows import Row
from liecbench.results.rows_of_cells import summarise
from liecbench.results.stored_cells import load
from tests.break_even_ledger import ledger
from tests.ledgers import cell_id, epoch, run_of, spec, start, write_ledger


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_cell_in_two_directories_counts_where_it_completed(tmp_path: Path, order: tuple[int, int]) -> None:
    unfinished: list[Record] = [start("x"), epoch("x")]
    trained = run_of("x", [{}, {}])
    directories = [write_ledger(tmp_path / "a", unfinished), write_ledger(tmp_path / "b", trained)]
    cells = load([directories[index] for index in order])

    assert [(cell.id, cell.status, len(cell.epochs)) for cell in cells] == [(cell_id(), "completed", 2)]


def test_a_cell_that_two_directories_completed_is_shown_twice(tmp_path: Path) -> None:
    slow = [*run_of("x", [{"seconds": 4.0}]), *run_of("y", [{"seconds": 1.0}], algorithm="psgd")]
    fast = [*run_of("x", [{"seconds": 2.0}]), *run_of("y", [{"seconds": 1.0}], algorithm="psgd")]
    cells = load([write_ledger(tmp_path / "a", slow), write_ledger(tmp_path / "b", fast)])
    seen = [(cell.directory, cell.spec["algorithm"]["name"], cell.epochs[0].train_seconds) for cell in cells]

    assert seen == [("a", "ddp", 4.0), ("a", "psgd", 1.0), ("b", "ddp", 2.0), ("b", "psgd", 1.0)]


def test_a_cell_whose_spec_is_damaged_is_named(tmp_path: Path) -> None:
    directory = write_ledger(tmp_path, [start("x", workers=0)])
    with pytest.raises(LiecbenchError) as raised:
        load([directory])

    expected = f"{directory / LEDGER_NAME}:1: the spec of cell {cell_id(workers=0)}: workers: should be at least"
    assert str(raised.value).startswith(expected)


def test_directories_are_read_together(tmp_path: Path) -> None:
    directories = [write_ledger(tmp_path / "a", run_of("x")), write_ledger(tmp_path / "b", run_of("y", seed=1))]

    assert [cell.spec["seed"] for cell in load(directories)] == [0, 1]


def test_an_empty_ledger_has_nothing_to_compare(tmp_path: Path) -> None:
    directory = write_ledger(tmp_path, [])
    with pytest.raises(NothingToCompareError) as raised:
        load([directory])

    assert (4, f"{directory}: no cell has begun; let `liecbench run` finish an epoch") == (
        raised.value.exit_code,
        str(raised.value),
    )


def test_cells_that_narrow_a_break_even_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    directory = write_ledger(tmp_path, run_of("x"), run_of("y", link="25mbit", added_rate=True))

    assert [cell.spec["link"] for cell in load([directory])] == ["20mbit"]
    assert [cell.spec["link"] for cell in load([directory], with_added=True)] == ["20mbit", "25mbit"]


def psgd_of(*directories: Path) -> Row:
    return next(row for row in summarise(load(directories)) if row.algorithm == "psgd")


def test_only_rounds_of_one_directory_are_paired(tmp_path: Path) -> None:
    ddp, psgd = (Cell.from_spec(spec(name, link="10mbit", timing="interleaved")) for name in ("ddp", "psgd"))
    both, first, second = (
        write_ledger(tmp_path / name, ledger(cells))
        for name, cells in [("both", [ddp, psgd]), ("first", [ddp]), ("second", [psgd])]
    )
    together, apart = psgd_of(both), psgd_of(first, second)
    assert together.speed is not None
    assert apart.speed is not None

    # The noise of a round is the same for both methods, so it cancels in pairs. Apart, two variances are added, whose
    # largest part, that of placements, is assumed for each session: the standard error is at least √2 times as large.
    assert apart.speed.mean == pytest.approx(together.speed.mean)
    assert apart.speed.standard_error >= 1.41 * together.speed.standard_error  # type: ignore[operator]
    warning = "timed in no round together with the baseline: its speed-up contains what changed between their sessions"
    assert (together.warnings.count(warning), apart.warnings.count(warning)) == (0, 1)
