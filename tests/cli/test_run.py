import re
from pathlib import Path

import psutil
import pytest

from liecbench.config.cell import Cell
from liecbench.config.loader import load_scenario
from liecbench.results.records import Record
from tests.cli.in_process import run_in_process
from tests.ledgers import run_of, write_ledger

# 64·8 + 8 + 8·10 + 10 = 610 parameters, 2440 bytes; of two ranks each sends 2·(1/2) of them in 1437 // 64 = 22 steps.
SCENARIO = """\
name: small
task: {dataset: digits, model: {name: mlp, width: 8, layers: 1}, batch_size: 32, epochs: 2, learning_rate: 0.1}
matrix:
  algorithm: [ddp, psgd]
  workers: [2, 4]
timing: end_to_end
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SCENARIO)
    return path


def completed(cell: Cell) -> list[Record]:
    epochs = [{"payload": [100] * cell.workers}] * cell.task.epochs
    return run_of(cell.id, epochs, **{**cell.spec(), "algorithm": cell.algorithm.name})


def test_a_run_with_nothing_left_starts_no_process(scenario: Path) -> None:
    cells = load_scenario(scenario).cells()
    out = write_ledger(scenario.parent / "results", *map(completed, cells))
    before = psutil.Process().children()
    done = run_in_process("run", scenario, "--out", out)

    assert (done.returncode, psutil.Process().children()) == (0, before), done.stderr
    assert done.stderr.startswith(f"{out} exists: 4 of 4 cells are done")


def test_a_run_says_that_the_directory_has_further_seeds(scenario: Path) -> None:
    cells = load_scenario(scenario, ["matrix.seed=[0, 1, 2]"]).cells()
    out = write_ledger(scenario.parent / "results", *map(completed, cells))
    done = run_in_process("run", scenario, "--out", out)
    asked_for_all = run_in_process("run", scenario, "--out", out, "--seeds", 3)

    assert done.returncode == 0, done.stderr
    further = f"{out} also has seeds 1 and 2, which this run did not ask for and leaves out; `liecbench compare {out}`"
    assert f"{further} compares all seeds" in " ".join(done.stdout.split())
    assert "also has" not in asked_for_all.stdout


def test_a_dry_run_lists_remaining_cells_and_runs_nothing(scenario: Path) -> None:
    cell = load_scenario(scenario, ["task.epochs=3"]).cells()[1]
    out = write_ledger(scenario.parent / "results" / "small", completed(cell))
    options = ["--dry-run", "--only", "workers=2", "--set", "task.epochs=3"]
    done = run_in_process("run", scenario, *options, directory=scenario.parent)
    first, estimated, *lines = done.stdout.splitlines()

    payload = f"payload per rank and epoch: {2440 * 22:,} bytes sent, {2440 * 22:,} received"
    assert (
        0,
        "2 cells, 1 of them done; results in results/small",
        [
            "psgd · 2 workers · none · seed 0: trained and timed",
            f"ddp · 2 workers · none · seed 0: 3 epochs, about N s; {payload}",
        ],
        ["records.jsonl"],
    ) == (
        done.returncode,
        first,
        [re.sub(r"about \d+", "about N", line.strip()) for line in lines if " · " in line],
        [path.name for path in out.iterdir()],
    )
    sent = f"{3 * 2 * 2440 * 22:,} payload bytes sent by all ranks"
    assert re.fullmatch(rf"estimated: about \d+ s for what is left, {sent}", estimated)


@pytest.mark.parametrize(
    ("old", "new", "options", "message"),
    [
        (
            "epochs: 2",
            "epoch: 2",
            [],
            "small.yaml:2:82: task.epoch: there is no key 'epoch' here (did you mean epochs?)",
        ),
        ("", "", ["--set", "tusk.epochs=2"], "--set tusk.epochs=2: tusk"),
        ("epochs: 2", f"epochs: {'9' * 5000}", [], "small.yaml:2:90: task.epochs: "),
    ],
    ids=["unknown key", "--set", "endless number"],
)
def test_a_bad_scenario_is_one_line_and_exit_code_2(
    tmp_path: Path, old: str, new: str, options: list[str], message: str
) -> None:
    (tmp_path / "small.yaml").write_text(SCENARIO.replace(old, new))
    done = run_in_process("run", "small.yaml", *options, directory=tmp_path)

    assert (2, "", f"liecbench: {message}", 1, ["small.yaml"]) == (
        done.returncode,
        done.stdout,
        done.stderr[: len(f"liecbench: {message}")],
        done.stderr.count("\n"),
        sorted(path.name for path in tmp_path.iterdir()),
    )


@pytest.mark.parametrize("options", [[], ["--dry-run"]], ids=["run", "dry run"])
@pytest.mark.parametrize("name", ["results", "results/cells.json"])
def test_a_path_that_a_run_cannot_use_is_refused_before_anything_runs(
    scenario: Path, name: str, options: list[str]
) -> None:
    file = scenario.parent / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("mine")
    done = run_in_process("run", scenario, "--out", scenario.parent / "results", *options)

    assert (done.returncode, file.read_text()) == (2, "mine")
    assert "with --out" in done.stderr
