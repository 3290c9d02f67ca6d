"""Notes on what an interrupted run did not finish, from ledgers that end in the middle of a run."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from liecbench.config.cell import Cell
from liecbench.results.asked_cells import AskedCells
from liecbench.results.cells import replay
from liecbench.results.missing_work import missing_notes
from liecbench.results.records import Record
from tests.break_even_ledger import begun, timed, trained
from tests.ledgers import end, epoch, run_of, spec
from tests.replayed_results import PROFILE

LINKS = ("20mbit", "100mbit")


def cells_of(*algorithms: str, links: Sequence[str] = LINKS, **fields: Any) -> list[Cell]:
    """Return the cells of each algorithm on each link with two seeds."""
    return [
        Cell.from_spec(spec(name, **{"link": link, "seed": seed, "timing": "interleaved", **fields}))
        for name in algorithms
        for link in links
        for seed in (0, 1)
    ]


def note(directory: Path, asked: list[Cell], *records: list[Record], only: Sequence[str] = ()) -> str:
    """Return what the note says before the command, without the directory; an empty text if there is no note."""
    cells = replay(record for one in records for record in one)
    found = missing_notes(directory, AskedCells.of(asked, only), cells)
    options = shlex.join(word for condition in only for word in ("--only", condition))
    command = f"liecbench run {directory}/scenario.yaml --out {directory} {options}".strip()
    before, after = f"{directory} is not finished: it lacks ", f"; `{command}` goes on"
    assert all(text.startswith(before) and text.endswith(after) for text in found)
    return "".join(text.removeprefix(before).removesuffix(after) for text in found)


def test_an_interruption_during_the_trainings(tmp_path: Path) -> None:
    cells = cells_of("ddp", "psgd")
    first, second = (cell.trajectory for cell in cells[:2])
    half = [begun(second), epoch(second.id)]

    assert note(tmp_path, cells, trained(first), half) == (
        "the trainings of ddp (seed 1) and psgd (seeds 0 and 1), and the timing on 20mbit and 100mbit"
    )


def test_an_interruption_during_a_timing_session(tmp_path: Path) -> None:
    cells = cells_of("ddp", "psgd")
    trainings = [trained(cell) for cell in cells if cell.link == cells[0].link]
    slow = [timed(cell) for cell in cells if cell.link == cells[0].link]
    half = [begun(cell) for cell in cells if cell.link != cells[0].link]

    assert note(tmp_path, cells, *trainings, *slow, half) == "the timing on 100mbit"


def test_a_finished_run_has_no_note(tmp_path: Path) -> None:
    cells = cells_of("ddp", "psgd")

    assert note(tmp_path, cells, *map(trained, cells), *map(timed, cells)) == ""


def test_more_seeds_need_no_session_of_their_own(tmp_path: Path) -> None:
    cells = cells_of("ddp")
    firsts = [cell for cell in cells if cell.seed == 0]

    assert note(tmp_path, cells, trained(cells[0]), *map(timed, firsts)) == "the training of ddp (seed 1)"
    assert note(tmp_path, cells, *map(trained, cells), *map(timed, firsts)) == "the last record of 2 cells"


def test_what_failed_or_diverged_is_not_missing(tmp_path: Path) -> None:
    ddp, psgd = cells_of("ddp", "psgd", links=["20mbit"])[::2]
    failed: list[Record] = [begun(ddp), end(ddp.id, status="failed", error="out of memory")]
    diverged: list[Record] = [begun(psgd.trajectory), end(psgd.trajectory.id, status="diverged", error="NaN")]

    assert note(tmp_path, [ddp], trained(ddp), failed) == ""
    assert note(tmp_path, [psgd], diverged) == "the last record of 1 cell"


def test_cells_trained_on_their_links_are_named_with_link_and_workers(tmp_path: Path) -> None:
    cells = [cell for workers in (2, 4) for cell in cells_of("ddp", timing="end_to_end", workers=workers)]
    done = [run_of(cell.id, [{}, {}], **{**cell.spec(), "algorithm": "ddp"}) for cell in cells[:5]]

    assert note(tmp_path, cells, *done) == (
        "the trainings of ddp · 4 workers · 20mbit (seed 1) and ddp · 4 workers · 100mbit (seeds 0 and 1)"
    )


def test_steps_of_a_profile_are_only_timed(tmp_path: Path) -> None:
    replayed = spec(timing="interleaved", link="none", compute="replayed", profile=PROFILE)
    cell = Cell.from_spec({**replayed, "task": {"profile": PROFILE}})

    assert note(tmp_path, [cell]) == "the timing on link none"


def test_the_command_takes_the_same_cells(tmp_path: Path) -> None:
    cells = cells_of("ddp", links=["20mbit"])

    assert note(tmp_path, cells, *map(trained, cells), only=["algorithm=ddp", "link=20 mbit"]) == "the timing on 20mbit"


@pytest.mark.parametrize(("period", "name"), [(8, "liec average period 8"), (32, "liec average period 32")])
def test_methods_that_differ_in_an_option_have_it_in_their_name(tmp_path: Path, period: int, name: str) -> None:
    cells = [
        Cell.from_spec({**spec(timing="interleaved"), "algorithm": {"name": "liec", "average_period": number}})
        for number in (8, 32)
    ]
    done = [trained(cell) for cell in cells if cell.algorithm.options["average_period"] != period]

    assert note(tmp_path, cells, *done) == f"the training of {name} (seed 0), and the timing on 20mbit"
