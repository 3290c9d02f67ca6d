import json
from pathlib import Path

import pytest

from liecbench.config.cell import Cell
from liecbench.results.ledger import LEDGER_NAME
from tests.break_even_ledger import ledger
from tests.cli.in_process import run_in_process
from tests.ledgers import cell_id, lines_of, run_of, spec, write_ledger

LINES = lines_of(*(run_of(f"c{seed}", [{}, {}], seed=seed) for seed in range(3)))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "scenario.yaml").write_text("baseline: ddp\n")
    (tmp_path / "r" / LEDGER_NAME).write_text("".join(LINES))
    return tmp_path / "r"


def test_whole_results_exit_with_zero(results: Path) -> None:
    done = run_in_process("verify", results)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{results / LEDGER_NAME}: lines: 12, all whole; whole cells: 3 completed\n"


def test_a_timed_cell_and_its_training_count_as_one_cell(tmp_path: Path) -> None:
    cells = [Cell.from_spec(spec(seed=seed, link="10mbit", timing="interleaved")) for seed in range(2)]
    directory = write_ledger(tmp_path / "timed", ledger(cells))
    text = run_in_process("verify", directory).stdout
    as_json = json.loads(run_in_process("verify", directory, "--format", "json").stdout)

    assert text.endswith("; whole cells: 2 completed; whole trainings for timed cells: 2 completed\n")
    assert (as_json["whole_cells"], as_json["whole_trainings"]) == ({"completed": 2}, {"completed": 2})


def test_damage_and_its_cells_are_named(results: Path) -> None:
    (results / LEDGER_NAME).write_text("".join([*LINES[:5], *LINES[6:9], "{\n", *LINES[10:]]))
    done = run_in_process("verify", results)

    assert done.returncode == 2
    assert [line.removeprefix(f"{results / LEDGER_NAME}:") for line in done.stdout.splitlines()] == [
        "6: its number is 7, and that of the line before 5: line 6 is missing",
        "9: not JSON: cut off or damaged at character 1",
        "10: epoch 2 of cell ... after its start".replace("...", cell_id(seed=2)),
        f"not whole: cell {cell_id(seed=1)}: ddp · 2 workers · 20mbit · seed 1",
        f"not whole: cell {cell_id(seed=2)}: ddp · 2 workers · 20mbit · seed 2",
        " damaged lines: 3 of 11; whole cells: 1 completed",
        f"next: liecbench verify {results} --salvage writes the whole cells anew",
    ]


def test_salvaged_results_are_compared_and_the_damaged_ones_are_kept(results: Path) -> None:
    damaged = "".join([*LINES[:5], *LINES[6:]])
    (results / LEDGER_NAME).write_text(damaged)
    salvaged = results.with_name("r-salvaged")
    done = run_in_process("verify", results, "--salvage")

    assert done.returncode == 0
    assert done.stdout.endswith(f"wrote {salvaged}; whole cells: 2 completed; {results} is as it was\n")
    assert run_in_process("verify", salvaged).returncode == 0
    assert run_in_process("compare", salvaged).returncode == 0
    assert (salvaged / "scenario.yaml").read_text() == "baseline: ddp\n"
    assert (results / LEDGER_NAME).read_text() == damaged
    assert run_in_process("compare", results).returncode == 2


def test_whole_results_are_not_salvaged(results: Path) -> None:
    done = run_in_process("verify", results, "--salvage")

    assert (done.returncode, results.with_name("r-salvaged").exists()) == (0, False)
    assert done.stdout.endswith(f"nothing to salvage: {results} is as it was\n")


def test_the_command_that_a_refusal_names_can_be_pasted(results: Path) -> None:
    spaced = results.rename(results.with_name("my results"))
    (spaced / LEDGER_NAME).write_text("{}\n")

    assert f"`liecbench verify '{spaced}'`" in run_in_process("compare", spaced).stderr


def test_where_nothing_is_whole_salvage_exits_with_four(results: Path) -> None:
    (results / LEDGER_NAME).write_text("{}\n")
    done = run_in_process("verify", results, "--salvage")

    assert (done.returncode, results.with_name("r-salvaged").exists()) == (4, False)


def test_no_results_directory_exits_with_two(tmp_path: Path) -> None:
    done = run_in_process("verify", tmp_path)

    assert (done.returncode, "give a results directory that `run` wrote" in done.stderr) == (2, True)


def test_as_json_it_names_damaged_lines_and_cells(tmp_path: Path) -> None:
    directory = write_ledger(tmp_path / "results", run_of("d"), run_of("e", seed=1))
    whole = json.loads(run_in_process("verify", directory, "--format", "json").stdout)
    lines = (directory / "records.jsonl").read_bytes().splitlines(keepends=True)
    (directory / "records.jsonl").write_bytes(b"".join([*lines[:-1], b"{]\n"]))
    done = run_in_process("verify", directory, "--format", "json")
    damaged = json.loads(done.stdout)

    assert (whole["lines"], whole["damaged_lines"], whole["whole_cells"]) == (6, [], {"completed": 2})
    assert (done.returncode, [one["line"] for one in damaged["damaged_lines"]], damaged["salvaged"]) == (2, [6], None)
