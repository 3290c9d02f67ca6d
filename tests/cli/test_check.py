import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from liecbench.results.ledger import Ledger
from tests.commands import run_command, running_command
from tests.ledgers import run_of
from tests.process_tree import Tree
from tests.waiting import TIMEOUT_SECONDS

SCENARIO = """\
name: turns
task: {dataset: digits, model: {name: mlp, width: 32}, batch_size: 32, epochs: 2, learning_rate: 0.1}
matrix:
  algorithm: [ddp]
  workers: [2]
  link: [none]
"""


@pytest.fixture
def results(tmp_path: Path) -> Path:
    directory = tmp_path / "results"
    directory.mkdir()
    with Ledger(directory) as ledger:
        for seed in range(5):
            for record in run_of(f"cell{seed}", seed=seed):
                ledger.append(record)
    return directory


@pytest.fixture
def stored(results: Path) -> Path:
    done = run_command(Tree(), "baseline", str(results), "-o", str(results / "baseline.json"))
    assert done.returncode == 0, done.stderr
    return results / "baseline.json"


def check(*arguments: str | Path) -> tuple[int, str, str]:
    done = run_command(Tree(), "check", *map(str, arguments), seconds=9 * TIMEOUT_SECONDS)
    return done.returncode, done.stdout, done.stderr


def test_results_pass_against_their_own_baseline(results: Path, stored: Path) -> None:
    status, printed, _ = check(results, "--baseline", stored)

    assert status == 0
    assert "PASS" in printed.splitlines()[-1]


def test_a_regression_exits_with_one_in_every_format(results: Path, stored: Path, tmp_path: Path) -> None:
    heavier = tmp_path / "heavier"
    heavier.mkdir()
    ledger = (results / "records.jsonl").read_text()
    (heavier / "records.jsonl").write_text(ledger.replace('"sent": [100, 100]', '"sent": [125, 100]'))
    summary, junit, data = tmp_path / "summary.md", tmp_path / "junit.xml", tmp_path / "check.json"
    arguments = ("check", heavier, "--baseline", stored, "--junit", junit, "--json", data, "--format", "json")
    done = run_command(Tree(), *map(str, arguments), "--github", prefix=["env", f"GITHUB_STEP_SUMMARY={summary}"])

    assert done.returncode == 1
    assert json.loads(done.stdout) == json.loads(data.read_text())
    assert json.loads(done.stdout)["verdict"] == "fail"
    assert int(ET.parse(junit).getroot().attrib["failures"]) > 0
    assert "payload" in summary.read_text()
    assert re.search(r"^::error", done.stderr, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--self-test"),
        (["--self-test", "--baseline", "x"], "one way"),
        (["--baseline", "x"], "RESULTS"),
        (["--pair-python", "a", "b"], "SCENARIO.yaml"),
        (["--pair-scenarios", "a", "b", "--tolerance", "0.2", "--bound", "0.1"], "--tolerance 0.2"),
        (["--pair-scenarios", "a", "b", "--env-b", "=1"], "NAME=VALUE"),
        (["--self-test", "--env-b", "A=1"], "--self-test does not use --env-b"),
        (["r", "--baseline", "b", "--only", "seed=1"], "--baseline does not use --only"),
        (["--self-test", "--junit", "no/such/directory/x.xml"], "cannot be written"),
        (["--pair-scenarios", "a.yaml", "b.yaml"], "a.yaml"),
    ],
)
def test_mistakes_are_told_with_exit_code_two(arguments: list[str], words: str) -> None:
    status, _, said = check(*arguments)

    assert (status, words in said, "Traceback" in said) == (2, True, False)


def test_a_baseline_that_is_missing_exits_with_four(results: Path) -> None:
    status, _, said = check(results, "--baseline", results / "none.json")

    assert (status, "liecbench baseline" in said) == (4, True)


def test_a_baseline_of_something_else_exits_with_four(results: Path, stored: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    ledger = (results / "records.jsonl").read_text()
    (other / "records.jsonl").write_text(ledger.replace('"batch_size": 32', '"batch_size": 64'))
    status, printed, _ = check(other, "--baseline", stored)

    assert status == 4
    assert "batch_size: 32 in the baseline, 64 here" in " ".join(printed.split())


def test_matrices_of_other_shapes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SCENARIO)
    (tmp_path / "b.yaml").write_text(SCENARIO.replace("[ddp]", "[ddp, psgd]"))
    status, _, said = check("--pair-scenarios", tmp_path / "a.yaml", tmp_path / "b.yaml")

    assert (status, "A has 1 cells besides its seeds, and B 2" in said) == (2, True)


def test_two_scenarios_take_turns(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SCENARIO)
    (tmp_path / "b.yaml").write_text(SCENARIO.replace("[ddp]", "[psgd]"))
    scenarios = ["--pair-scenarios", str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")]
    status, printed, said = check(*scenarios, "--pairs", "9", "--env-b", "SECRET=hidden", "--format", "json")

    found = json.loads(printed)
    (timed,) = found["findings"]
    assert (timed["metric"], len(timed["pairs"])) == ("step_seconds", 9)
    assert {"pass": 0, "fail": 1, "inconclusive": 3}[timed["verdict"]] == status
    assert found["settings"]["variables_b"] == ["SECRET"]
    assert "hidden" not in printed
    assert "relaunch 3" in said


def test_an_interruption_leaves_no_process(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SCENARIO)
    path = str(tmp_path / "s.yaml")
    with running_command(tmp_path, "check", "--pair-scenarios", path, path) as command:
        command.wait_for(lambda: len(command.tree.ranks()) == 2, "ranks")
        command.wait_for(lambda: "starting B" in command.stderr(), "B's turn")
        namespaces = command.tree.namespaces()
        command.process.terminate()
        status = command.process.wait(TIMEOUT_SECONDS)
        command.tree.assert_gone(namespaces)

    assert status == 130


def test_a_summary_that_cannot_be_written_hides_no_regression(results: Path, stored: Path, tmp_path: Path) -> None:
    heavier = tmp_path / "heavier"
    heavier.mkdir()
    ledger = (results / "records.jsonl").read_text()
    (heavier / "records.jsonl").write_text(ledger.replace('"sent": [100, 100]', '"sent": [125, 100]'))
    prefix = ["env", f"GITHUB_STEP_SUMMARY={tmp_path}/no/such/directory/summary.md"]
    told = run_command(Tree(), "check", str(heavier), "--baseline", str(stored), "--github", prefix=prefix)
    passing = run_command(Tree(), "check", str(results), "--baseline", str(stored), "--github", prefix=prefix)

    assert (told.returncode, "FAIL" in told.stdout) == (1, True)
    assert (passing.returncode, "PASS" in passing.stdout) == (2, True)
