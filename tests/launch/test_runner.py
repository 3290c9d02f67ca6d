from collections.abc import Sequence
from pathlib import Path

import pytest

from liecbench.config.cell import Cell
from liecbench.config.loader import check, load_scenario
from liecbench.config.scenario import Scenario
from liecbench.config.yaml_source import parse
from liecbench.errors import LiecbenchError
from liecbench.launch.pending import jobs_left
from liecbench.launch.runner import ResultsDirectory, finished_cells, refuse_existing, select
from liecbench.results.cells import fold
from liecbench.results.ledger import LEDGER_NAME, SCHEMA, Record, to_json
from tests.ledgers import end, epoch, start

TEXT = """\
name: example
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


def names(cells: Sequence[Cell]) -> list[str]:
    return [cell.describe().removesuffix(" · seed 0") for cell in cells]


def refusal(path: Path) -> str:
    with pytest.raises(LiecbenchError) as raised:
        ResultsDirectory(path)
    return str(raised.value)


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (["algorithm=ddp", "workers=2"], ["ddp · 2 workers · none", "ddp · 2 workers · 10mbit↑ 20mbit↓"]),
        (
            ["workers=4", "link=none"],
            ["ddp · 4 workers · none", "liec(sign) · 4 workers · none"],
        ),
        (["average_period=8", "workers=2", "link=none"], ["liec(sign) · 2 workers · none"]),
        (
            ["algorithm=liec", "algorithm=ddp", "workers=2", "link=none"],
            ["ddp · 2 workers · none", "liec(sign) · 2 workers · none"],
        ),
        (["compressor=None", "workers=2", "link=none"], ["ddp · 2 workers · none"]),
        (["learning_rate=0.1", "algorithm=ddp", "workers=4", "link=none"], ["ddp · 4 workers · none"]),
    ],
)
def test_conditions_choose_any_of_a_keys_values_and_all_keys(
    cells: list[Cell], conditions: list[str], expected: list[str]
) -> None:
    actual = names(select(cells, conditions))

    assert expected == actual


def test_without_conditions_every_cell_is_chosen(cells: list[Cell]) -> None:
    assert (8, cells) == (len(cells), select(cells, []))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("algoritm=ddp", "--only algoritm=ddp: the cells have no 'algoritm'; did you mean algorithm?"),
        ("algorithm", "--only algorithm: not KEY=VALUE"),
        ("=ddp", "--only =ddp: the cells have no ''; valid: algorithm, "),
        ("algorithm=zzz", "--only algorithm=zzz: no cell is like that; see them with --dry-run"),
        ("algorithm=", "--only algorithm=: no cell is like that; see them with --dry-run"),
        ("workers=3", "--only workers=3: no cell is like that; see them with --dry-run"),
    ],
)
def test_conditions_that_choose_nothing_are_mistakes(cells: list[Cell], condition: str, expected: str) -> None:
    with pytest.raises(LiecbenchError) as raised:
        select(cells, [condition])

    assert expected == str(raised.value)[: len(expected)]


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([], (1, 0)),
        (["start"], (2, 0)),
        (["start", "epoch"], (2, 1)),
        (["start", "epoch", "failed"], (2, 1)),
        (["start", "failed"], (2, 0)),
        (["start", "epoch", "completed"], None),
        (["start", "diverged"], None),
    ],
    ids=str,
)
def test_a_cell_goes_on_unless_it_is_over(
    cells: list[Cell], records: list[str], expected: tuple[int, int] | None
) -> None:
    cell = cells[0].id
    made: dict[str, Record] = {
        "start": start(cell),
        "epoch": epoch(cell),
        "completed": end(cell),
        "failed": end(cell, status="failed", error="lost"),
        "diverged": end(cell, status="diverged", error="not finite"),
    }
    jobs = jobs_left(cells[:1], fold(made[name] for name in records))

    assert ([] if expected is None else [expected]) == [(job.attempt, job.epochs_done) for job in jobs]


def test_jobs_keep_the_order_of_the_cells(cells: list[Cell]) -> None:
    over: list[Record] = [start(cells[2].id), epoch(cells[2].id), end(cells[2].id)]
    jobs = jobs_left(cells, fold(over))

    assert [cell for cell in cells if cell != cells[2]] == [job.cell for job in jobs]


def test_a_new_directory_is_made_with_its_parents(tmp_path: Path) -> None:
    with ResultsDirectory(tmp_path / "a" / "b") as results:
        found = (results.results, results.describe([], []), (tmp_path / "a" / "b" / LEDGER_NAME).exists())

    assert found == ({}, "", True)


def test_two_runs_do_not_share_a_directory(tmp_path: Path) -> None:
    with ResultsDirectory(tmp_path):
        actual = refusal(tmp_path)

    assert f"{tmp_path} is in use by another run; wait for it, or give another --out" == actual


def test_a_finished_run_leaves_its_directory_to_the_next(tmp_path: Path) -> None:
    with ResultsDirectory(tmp_path) as first:
        first.ledger.append(start("a"))
    with ResultsDirectory(tmp_path) as second:
        found = list(second.results)

    assert found == ["a"]


def test_fresh_refuses_results(tmp_path: Path) -> None:
    with ResultsDirectory(tmp_path):
        pass
    with pytest.raises(LiecbenchError) as raised:
        refuse_existing(tmp_path)

    assert f"{tmp_path} holds results already; leave --fresh out to go on, or give another --out" == str(raised.value)


def test_fresh_takes_a_directory_of_other_things(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    refuse_existing(tmp_path)
    with ResultsDirectory(tmp_path) as results:
        found = results.results

    assert found == {}


@pytest.mark.parametrize("name", ["file", "file/below", "taken"])
def test_what_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "taken" / LEDGER_NAME).mkdir(parents=True)
    actual = refusal(tmp_path / name)

    assert (
        actual.startswith(f"{tmp_path / name}: "),
        actual.endswith("; give a directory that can be written with --out"),
    ) == (True, True)


def test_a_read_only_file_system_is_named() -> None:
    actual = refusal(Path("/proc/liecbench"))

    assert actual == "/proc/liecbench: No such file or directory; give a directory that can be written with --out"


@pytest.mark.parametrize("size", [0, 1, 30])
def test_a_torn_last_line_is_cut_and_the_next_starts_afresh(tmp_path: Path, size: int) -> None:
    whole = f"{to_json(start('a'))}\n"
    ledger = tmp_path / LEDGER_NAME
    ledger.write_text(whole + to_json(epoch("a"))[:size])
    with ResultsDirectory(tmp_path) as results:
        results.ledger.append(end("a"))

    assert f"{whole}{to_json(end('a'))}\n" == ledger.read_text()


def test_what_an_earlier_run_finished_is_said(tmp_path: Path, cells: list[Cell]) -> None:
    (tmp_path / LEDGER_NAME).write_text(
        "".join(f"{to_json(r)}\n" for i in (cells[0].id, "other") for r in (start(i), epoch(i), end(i)))
    )
    with ResultsDirectory(tmp_path) as results:
        actual = results.describe(cells, jobs_left(cells, results.results))

    assert f"{tmp_path} exists: 1 of 8 cells are done, and 1 others are left as they are" == actual


def test_a_directory_that_is_not_there_has_finished_nothing(tmp_path: Path) -> None:
    assert (finished_cells(tmp_path / "none"), (tmp_path / "none").exists()) == ({}, False)


@pytest.mark.parametrize("text", [TEXT, RICH], ids=["plain", "rich"])
def test_the_scenario_as_resolved_is_the_same_scenario(tmp_path: Path, text: str) -> None:
    with ResultsDirectory(tmp_path) as results:
        results.write_scenario(scenario(text))
    again = load_scenario(tmp_path / "scenario.yaml")

    assert [cell.id for cell in scenario(text).cells()] == [cell.id for cell in again.cells()]


def test_a_scenario_of_the_users_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "scenario.yaml").write_text("# mine\n")
    actual = refusal(tmp_path)

    assert "holds a scenario.yaml of yours, which the run would overwrite; give a directory of its own" in actual
    assert (tmp_path / "scenario.yaml").read_text() == "# mine\n"


def test_records_of_a_newer_version_are_left_as_they_are(tmp_path: Path) -> None:
    text = to_json(start("a")).replace(f'"schema": {SCHEMA}', f'"schema": {SCHEMA + 1}') + "\n"
    (tmp_path / LEDGER_NAME).write_text(text)
    actual = refusal(tmp_path)

    assert f"{tmp_path / LEDGER_NAME}:1: schema {SCHEMA + 1}; this version reads schema {SCHEMA}" in actual
    assert (tmp_path / LEDGER_NAME).read_text() == text
