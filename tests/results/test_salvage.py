import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from liecbench.config.cell import Cell
from liecbench.config.cell_keys import digest
from liecbench.errors import LiecbenchError, NothingToCompareError
from liecbench.results.cells import CellResult
from liecbench.results.ledger import LEDGER_NAME
from liecbench.results.ledger_line import seal
from liecbench.results.ledger_reader import read
from liecbench.results.record_json import to_json
from liecbench.results.records import Record
from liecbench.results.salvage import Verification
from liecbench.results.stored_cells import load
from liecbench.results.timing_record import Timing
from tests import break_even_ledger
from tests.ledgers import cell_id, consistent, end, epoch, lines_of, run_of, spec, start

RUNS = [run_of(f"c{seed}", [{}, {}], seed=seed) for seed in range(3)]
LINES = lines_of(*RUNS)  # four lines per cell
TIMED = [Cell.from_spec(spec(name, link="10mbit", timing="interleaved")) for name in ("ddp", "psgd")]
TIMED_LINES = lines_of(break_even_ledger.ledger(TIMED, placements=1))  # 2 · 4 of trainings, 2 · 4 of sessions


def results(directory: Path, lines: list[str]) -> Path:
    directory.mkdir()
    (directory / LEDGER_NAME).write_text("".join(lines))
    return directory


def first_schema(record: Record) -> str:
    return json.dumps({**json.loads(to_json(record)), "schema": 1}) + "\n"


def seeds(cells: list[CellResult]) -> list[int]:
    return [cell.spec["seed"] for cell in cells]


def test_a_whole_ledger_has_no_damage(tmp_path: Path) -> None:
    found = Verification.of(results(tmp_path / "r", LINES))

    assert (found.damage, found.damaged, found.num_unnumbered, found.has_partial_line) == ([], {}, 0, False)
    assert found.states == {cell_id(seed=seed): "completed" for seed in range(3)}


def test_an_incomplete_last_line_is_no_damage(tmp_path: Path) -> None:
    found = Verification.of(results(tmp_path / "r", [*LINES[:-1], LINES[-1][:-20]]))

    assert (found.damage, found.has_partial_line) == ([], True)
    assert list(found.states.values()) == ["completed", "completed", "unfinished"]


@pytest.mark.parametrize(
    ("damage", "whole"),
    [
        ({5: None}, [0, 2]),  # an epoch of seed 1 is lost
        ({5: "{}\n"}, [0, 2]),
        ({5: LINES[5].replace("0.5", "0.6")}, [0, 2]),
        ({4: None}, [0, 2]),  # the start of seed 1
        ({4: "x\n"}, [0, 2]),
        ({5: LINES[6], 6: LINES[5]}, [0, 2]),
        ({5: LINES[5] + LINES[5]}, [0, 2]),
        ({3: "x\n"}, [0, 1, 2]),  # the end of seed 0, which is then unfinished
        ({0: None, 1: None, 2: None, 3: None}, [1, 2]),
    ],
)
def test_salvage_keeps_the_whole_cells(tmp_path: Path, damage: dict[int, str | None], whole: list[int]) -> None:
    lines = [damage.get(number, line) or "" for number, line in enumerate(LINES)]
    directory = results(tmp_path / "r", lines)
    found = Verification.of(directory)
    salvaged = found.salvage()

    assert salvaged == tmp_path / "r-salvaged"
    assert seeds(load([salvaged])) == whole
    assert (directory / LEDGER_NAME).read_text() == "".join(lines)
    kept = [record for record in consistent(*RUNS) if record in list(read(salvaged))]
    assert list(read(salvaged)) == kept


def test_a_failed_cell_whose_epochs_may_be_lost_is_not_kept(tmp_path: Path) -> None:
    lines = lines_of([start("a"), epoch("a"), epoch("a", 2), end("a", status="failed")], run_of("b", [{}] * 2, seed=1))
    found = Verification.of(results(tmp_path / "r", [*lines[:2], *lines[3:]]))

    assert list(found.damaged) == [cell_id()]
    assert list(found.states) == [cell_id(seed=1)]


@pytest.mark.parametrize(
    ("lost", "whole"),
    [
        (None, ["ddp", "psgd"]),
        (9, ["psgd"]),  # a burst of ddp's session
        (13, ["ddp"]),
        (2, ["psgd"]),  # an epoch of the training that ddp's session belongs to: a run trains again, and times nothing
    ],
)
def test_a_timed_cell_is_whole_with_all_its_bursts_and_its_training(
    tmp_path: Path, lost: int | None, whole: list[str]
) -> None:
    lines = [line for number, line in enumerate(TIMED_LINES) if number != lost]
    directory = results(tmp_path / "r", lines)
    salvaged = directory if lost is None else Verification.of(directory).salvage()
    cells = [cell for cell in load([salvaged]) if cell.is_interleaved]
    completed = [cell for cell in cells if cell.status == "completed"]

    assert [cell.spec["algorithm"]["name"] for cell in completed] == whole
    assert [len(cell.timings) for cell in cells] == [2] * (2 if lost == 2 else len(whole))


@pytest.mark.parametrize(
    ("damaged", "whole"),
    [
        ([1], [1]),  # an epoch of seed 0
        ([2, 3], [1]),  # its last epoch, and the end of its training
        ([3], [0, 1]),  # that end alone: every epoch is there
        ([4], []),  # the start of the session
        ([5], []),  # a burst
        ([9], [0]),  # an epoch of seed 1
    ],
)
def test_bursts_that_time_a_cell_of_a_later_run_are_kept_with_the_start_before_them(
    tmp_path: Path, damaged: list[int], whole: list[int]
) -> None:
    """Seed 1 is added to a run of seed 0: its session's bursts stand before its own start."""
    cells = [Cell.from_spec(spec(link="10mbit", timing="interleaved", seed=seed)) for seed in range(2)]
    first, second = (break_even_ledger.ledger([cell], placements=1) for cell in cells)
    later = [record for record in second if not isinstance(record, Timing)]
    lines = lines_of(first, later)
    lines = ["x\n" if number in damaged else line for number, line in enumerate(lines)]
    salvaged = Verification.of(results(tmp_path / "r", lines)).salvage()

    completed = [cell for cell in load([salvaged]) if cell.is_interleaved and cell.status == "completed"]
    assert seeds(completed) == whole


@pytest.mark.parametrize("change", [{"weather": "fine"}, {"timing": None}])
def test_a_spec_of_a_later_version_is_named(tmp_path: Path, change: dict[str, Any]) -> None:
    fields = {name: value for name, value in {**spec(), **change}.items() if value is not None or name == "server"}
    begun = dataclasses.replace(start("a"), cell=digest(fields), spec=fields)
    line = seal(to_json(begun), 1) + "\n"

    found = Verification.of(results(tmp_path / "r", [line]))
    assert [(line.damage or "").partition(": ")[0] for line in found.damage] == [f"the spec of cell {digest(fields)}"]
    assert (found.states, found.damaged) == ({}, {})


def test_lines_of_the_first_schema_are_kept_as_they_are(tmp_path: Path) -> None:
    old = [first_schema(record) for record in consistent(*RUNS)]
    salvaged = Verification.of(results(tmp_path / "r", [*old[:5], *old[6:]])).salvage()

    assert (salvaged / LEDGER_NAME).read_text() == "".join([*old[:4], *old[8:]])


def test_a_ledger_of_the_first_schema_that_was_put_after_another_comes_before_it(tmp_path: Path) -> None:
    new, old = lines_of(RUNS[0]), [first_schema(record) for record in consistent(RUNS[1])]
    salvaged = Verification.of(results(tmp_path / "r", [*new, *old])).salvage()

    assert [json.loads(line)["schema"] for line in (salvaged / LEDGER_NAME).read_text().splitlines()] == [1] * 4 + [
        2
    ] * 4
    assert seeds(load([salvaged])) == [1, 0]


def test_fields_of_a_later_version_are_kept(tmp_path: Path) -> None:
    later = [json.dumps({**json.loads(to_json(record)), "weather": "fine"}) for record in consistent(*RUNS)]
    lines = [f"{seal(line, number)}\n" for number, line in enumerate(later, start=1)]
    salvaged = Verification.of(results(tmp_path / "r", [*lines[:5], *lines[6:]])).salvage()
    kept = (salvaged / LEDGER_NAME).read_text().splitlines()

    assert [json.loads(line)["weather"] for line in kept] == ["fine"] * 8
    assert [json.loads(line)["number"] for line in kept] == list(range(1, 9))


def test_the_scenario_and_the_asked_cells_are_copied(tmp_path: Path) -> None:
    directory = results(tmp_path / "r", [*LINES[:5], *LINES[6:]])
    texts = {"scenario.yaml": "name: copied\n", "cells.json": '{"only": [], "cells": []}\n'}
    for name, text in texts.items():
        (directory / name).write_text(text)
    salvaged = Verification.of(directory).salvage()

    assert {name: (salvaged / name).read_text() for name in texts} == texts


def test_nothing_whole_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(NothingToCompareError, match="no cell is whole; run the scenario again"):
        Verification.of(results(tmp_path / "r", LINES[1:4])).salvage()

    assert [path.name for path in tmp_path.iterdir()] == ["r"]


def test_an_existing_directory_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "r-salvaged").mkdir()
    with pytest.raises(LiecbenchError, match="r-salvaged: File exists; move it away"):
        Verification.of(results(tmp_path / "r", LINES[1:])).salvage()


def test_damage_is_told_once_per_cell(tmp_path: Path) -> None:
    found = Verification.of(results(tmp_path / "r", LINES[1:]))

    assert [(line.number, (line.damage or "").partition(":")[0]) for line in found.damage] == [
        (1, "its number is 2, and that of the line before 0")
    ]
    assert [line.number for line in found.lines if not line.fits] == [1]


def test_a_spec_that_its_id_contradicts_is_no_cell(tmp_path: Path) -> None:
    begun = dataclasses.replace(start("a"), cell=digest(spec()), spec=spec(workers=4))
    directory = results(tmp_path / "r", [first_schema(begun), *LINES[4:]])

    found = Verification.of(directory).damage[0].damage
    assert found == f"cell {cell_id()} has another spec: its id is not the hash of this one"
