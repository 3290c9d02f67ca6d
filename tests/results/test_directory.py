import dataclasses
import os
from pathlib import Path

import pytest

from liecbench.config.cell import Cell
from liecbench.config.loader import check, load_scenario
from liecbench.config.scenario import Scenario
from liecbench.config.yaml_source import parse
from liecbench.errors import LiecbenchError
from liecbench.launch.pending import jobs_left
from liecbench.results.directory import ResultsDirectory, Snapshot, refuse_existing, require_usable
from liecbench.results.ledger import LEDGER_NAME
from liecbench.results.record_json import SCHEMA, to_json
from liecbench.results.records import Record
from liecbench.results.stored_cells import load
from tests.break_even_ledger import ledger, trained
from tests.ledgers import cell_id, consistent, end, epoch, lines_of, run_of, spec, start, write_ledger

TEXT = """\
name: example
timing: end_to_end
task: {dataset: digits, model: mlp, batch_size: 32, epochs: 2, learning_rate: 0.1}
matrix:
  algorithm: [ddp, {name: liec, average_period: 8}]
  compressor: [sign]
  workers: [2, 4]
  link: [none, {up: 10mbit, down: 20mbit}]
"""
RICH = """\
name: rich
task: {dataset: digits, model: mlp, batch_size: 32, epochs: 2, schedule: {milestones: [1], factor: 0.5}}
matrix:
  algorithm: [ddp, {name: liec, average_period: 8, task: {learning_rate: 1e-3, momentum: 0.9}}]
  compressor: [sign, {name: top_k, ratio: 0.5}]
  workers: [2]
  link: [{up: 10mbit, down: 20mbit}]
  learning_rate: [0.1, 0.2]
exclude: [{compressor: {name: top_k, ratio: 0.5}, algorithm: {name: liec, average_period: 8}}]
include: [{algorithm: psgd, workers: 4}]
server: root
block_bytes: whole
target_accuracy: 0.9
"""


def scenario(text: str = TEXT) -> Scenario:
    return check(parse(text, "s.yaml"))


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    return scenario().cells()


def begun(name: str) -> Record:
    return consistent([start(name)])[0]


def error_of(path: Path) -> str:
    with pytest.raises(LiecbenchError) as raised:
        ResultsDirectory(Snapshot(path))
    return str(raised.value)


def test_a_new_directory_is_made_with_its_parents(tmp_path: Path) -> None:
    with ResultsDirectory(Snapshot(tmp_path / "a" / "b")) as results:
        found = (results.snapshot.cells, results.describe([], [], []), (tmp_path / "a" / "b" / LEDGER_NAME).exists())

    assert found == ({}, "", True)


def test_two_runs_do_not_share_a_directory(tmp_path: Path) -> None:
    with ResultsDirectory(Snapshot(tmp_path)):
        actual = error_of(tmp_path)

    assert f"{tmp_path} is in use by another run; wait for it, or give another --out" == actual


def test_a_finished_run_leaves_its_directory_to_the_next(tmp_path: Path) -> None:
    with ResultsDirectory(Snapshot(tmp_path)) as first:
        first.ledger.append(begun("a"))
    with ResultsDirectory(Snapshot(tmp_path)) as second:
        found = list(second.snapshot.cells)

    assert found == [cell_id()]


def test_fresh_refuses_results(tmp_path: Path) -> None:
    with ResultsDirectory(Snapshot(tmp_path)):
        pass
    with pytest.raises(LiecbenchError) as raised:
        refuse_existing(tmp_path)

    assert f"{tmp_path} holds results already; remove --fresh to go on, or give another --out" == str(raised.value)


def test_fresh_accepts_a_directory_without_results(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    refuse_existing(tmp_path)
    with ResultsDirectory(Snapshot(tmp_path)) as results:
        found = results.snapshot.cells

    assert found == {}


@pytest.mark.parametrize("name", ["file", "file/below", "taken"])
def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "taken" / LEDGER_NAME).mkdir(parents=True)
    actual = error_of(tmp_path / name)

    assert (
        actual.startswith(f"{tmp_path / name}: "),
        actual.endswith("; give a directory that can be written with --out"),
    ) == (True, True)


def test_a_read_only_file_system_is_named() -> None:
    actual = error_of(Path("/proc/liecbench"))

    assert actual == "/proc/liecbench: No such file or directory; give a directory that can be written with --out"


@pytest.mark.parametrize("size", [0, 1, 30])
def test_an_incomplete_last_line_is_cut_before_the_next_record(tmp_path: Path, size: int) -> None:
    whole, second = lines_of([start("a"), end("a", status="failed")])
    ledger = tmp_path / LEDGER_NAME
    ledger.write_text(whole + second[:size])
    with ResultsDirectory(Snapshot(tmp_path)) as results:
        results.ledger.append(consistent([start("a"), end("a", status="failed")])[1])

    assert whole + second == ledger.read_text()


def test_the_description_counts_cells_of_earlier_runs(tmp_path: Path, cells: list[Cell]) -> None:
    known = dataclasses.replace(start("a"), spec=cells[0].spec())
    epochs = [epoch("a", number) for number in range(1, cells[0].task.epochs + 1)]
    write_ledger(tmp_path, [known, *epochs, end("a")], run_of("other", seed=9))
    with ResultsDirectory(Snapshot(tmp_path)) as results:
        left = jobs_left(cells, results.snapshot.cells)
        actual = results.describe(cells, left.cells, left.jobs)

    assert f"{tmp_path} exists: 1 of 8 cells are done, and 1 other is left as it is" == actual


def test_the_description_counts_cells_that_are_trained_but_not_yet_timed(tmp_path: Path) -> None:
    links = ["10mbit", "20mbit"]
    asked = [Cell.from_spec(spec(name, link=link, timing="interleaved")) for name in ("ddp", "psgd") for link in links]
    write_ledger(tmp_path, trained(asked[0]))
    with ResultsDirectory(Snapshot(tmp_path)) as results:
        left = jobs_left(asked, results.snapshot.cells)
        actual = results.describe(asked, left.cells, left.jobs)

    assert actual == f"{tmp_path} exists: 0 of 4 cells are done, 2 more trained but not yet timed"


def test_the_description_counts_a_cell_of_another_scenario_and_its_training_once(tmp_path: Path) -> None:
    asked, *others = [Cell.from_spec(spec(seed=seed, link="10mbit", timing="interleaved")) for seed in range(3)]
    write_ledger(tmp_path, ledger([asked, *others]))
    with ResultsDirectory(Snapshot(tmp_path)) as results:
        left = jobs_left([asked], results.snapshot.cells)
        actual = results.describe([asked], left.cells, left.jobs)

    assert actual == f"{tmp_path} exists: 1 of 1 cells are done, and 2 others are left as they are"


def test_a_missing_directory_has_no_cells_and_is_not_created(tmp_path: Path) -> None:
    assert (Snapshot(tmp_path / "none").cells, (tmp_path / "none").exists()) == ({}, False)


@pytest.mark.parametrize("text", [TEXT, RICH], ids=["plain", "rich"])
def test_the_scenario_as_resolved_is_the_same_scenario(tmp_path: Path, text: str) -> None:
    with ResultsDirectory(Snapshot(tmp_path)) as results:
        results.write_scenario(scenario(text))
    again = load_scenario(tmp_path / "scenario.yaml")

    assert [cell.id for cell in scenario(text).cells()] == [cell.id for cell in again.cells()]


@pytest.mark.parametrize("name", ["scenario.yaml", "cells.json"])
def test_a_users_own_file_is_not_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("# mine\n")
    with pytest.raises(LiecbenchError) as caught:
        require_usable(Snapshot(tmp_path))
    actual = str(caught.value)

    assert f"holds a {name} of yours, which the run would overwrite; give a directory of its own" in actual
    assert (tmp_path / name).read_text() == "# mine\n"


def test_records_of_a_newer_version_are_not_changed(tmp_path: Path) -> None:
    text = to_json(begun("a")).replace(f'"schema": {SCHEMA}', f'"schema": {SCHEMA + 1}') + "\n"
    (tmp_path / LEDGER_NAME).write_text(text)
    actual = error_of(tmp_path)

    assert f"{tmp_path / LEDGER_NAME}:1: schema {SCHEMA + 1}; this version reads schemas 1 and {SCHEMA}" in actual
    assert (tmp_path / LEDGER_NAME).read_text() == text


def test_refreshing_adds_the_new_records(tmp_path: Path) -> None:
    with ResultsDirectory(Snapshot(tmp_path)) as results:
        seen = []
        for record in consistent(run_of("a"), [start("b", seed=1)]):
            results.ledger.append(record)
            cells = results.snapshot.refresh()
            seen.append([(cell.spec["seed"], len(cell.epochs), cell.status) for cell in cells.values()])

    done = (0, 1, "completed")
    assert seen == [[(0, 0, "unfinished")], [(0, 1, "unfinished")], [done], [done, (1, 0, "unfinished")]]


def test_an_incomplete_line_is_read_once_it_is_complete(tmp_path: Path) -> None:
    (line,) = lines_of([start("a")])
    ledger = tmp_path / LEDGER_NAME
    ledger.write_text(line[:20])
    snapshot = Snapshot(tmp_path)
    before = list(snapshot.cells)
    ledger.write_text(line)

    assert (before, list(snapshot.refresh())) == ([], [cell_id()])


def test_a_damaged_new_line_is_named_with_its_number(tmp_path: Path) -> None:
    ledger = tmp_path / LEDGER_NAME
    ledger.write_text(lines_of([start("a")])[0])
    snapshot = Snapshot(tmp_path)
    with ledger.open("a") as file:
        file.write("{}\n")
    with pytest.raises(LiecbenchError) as raised:
        snapshot.refresh()

    assert str(raised.value).startswith(f"{ledger}:2: not a start, epoch, timing or end record; ")


@pytest.mark.parametrize("kind", ["a named pipe", "a device"])
def test_a_ledger_that_may_never_end_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / LEDGER_NAME
    if kind == "a device":
        path.symlink_to("/dev/zero")
    else:
        os.mkfifo(path)
    for open_directory in (Snapshot, lambda directory: load([directory])):
        with pytest.raises(LiecbenchError, match=f"{LEDGER_NAME}: {kind}, not a regular file; give a results"):
            open_directory(tmp_path)
