import dataclasses
import functools
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from liecbench.check.paired import paired_check
from liecbench.check.paired.paired_check import PairedCheck
from liecbench.check.paired.rule_settings import StoppingRule
from liecbench.check.paired.session import PairedComparison
from liecbench.check.verdict import Outcome
from liecbench.results.ledger_reader import read
from liecbench.results.records import Epoch
from tests.cli.in_process import run_in_process
from tests.commands import running_command
from tests.ledgers import run_of, write_ledger
from tests.waiting import TIMEOUT_SECONDS

SCENARIO = """\
name: paired
task: {dataset: digits, model: {name: mlp, width: 32}, batch_size: 32, epochs: 2, learning_rate: 0.1}
matrix:
  algorithm: [ddp]
  workers: [2]
  link: [none]
"""


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return write_ledger(tmp_path / "results", *(run_of(f"cell{seed}", seed=seed) for seed in range(5)))


@pytest.fixture
def stored(results: Path) -> Path:
    done = run_in_process("baseline", results, "-o", results / "baseline.json")
    assert done.returncode == 0, done.stderr
    return results / "baseline.json"


@pytest.fixture
def heavier(results: Path, tmp_path: Path) -> Path:
    """The same results with more payload bytes."""
    records = [
        dataclasses.replace(record, payload_bytes={"sent": [125, 100], "received": [100, 100]})
        if isinstance(record, Epoch)
        else record
        for record in read(results)
    ]
    return write_ledger(tmp_path / "heavier", records)


def test_results_pass_against_their_own_baseline(results: Path, stored: Path) -> None:
    done = run_in_process("check", "results", results, "--baseline", stored)

    assert done.returncode == 0
    assert "PASS" in done.stdout.splitlines()[-1]
    assert "time not gated" in done.stdout.splitlines()[-1]  # the synthetic records lack communication times


def test_a_regression_exits_with_one_in_every_format(stored: Path, heavier: Path, tmp_path: Path) -> None:
    summary, junit, data = tmp_path / "summary.md", tmp_path / "junit.xml", tmp_path / "check.json"
    arguments = ("--baseline", stored, "--junit", junit, "--json", data, "--format", "json", "--github")
    done = run_in_process("check", "results", heavier, *arguments, environment={"GITHUB_STEP_SUMMARY": str(summary)})

    assert done.returncode == 1
    assert json.loads(done.stdout) == json.loads(data.read_text())
    assert json.loads(done.stdout)["verdict"] == "fail"
    assert int(ET.parse(junit).getroot().attrib["failures"]) > 0
    assert "payload" in summary.read_text()
    assert re.search(r"^::error", done.stderr, re.MULTILINE)


def test_a_report_that_cannot_be_written_is_named_and_the_others_are_written(
    stored: Path, heavier: Path, tmp_path: Path
) -> None:
    arguments = ("--baseline", stored, "--json", "/dev/full", "--junit", tmp_path / "junit.xml", "--github")
    environment = {"GITHUB_STEP_SUMMARY": str(tmp_path)}
    done = run_in_process("check", "results", heavier, *arguments, environment=environment)

    assert done.returncode == 1
    assert "a report is missing: /dev/full: No space left on device\n" in done.stderr
    assert f"a report is missing: GITHUB_STEP_SUMMARY: {tmp_path} cannot be written (Is a directory)" in done.stderr
    assert int(ET.parse(tmp_path / "junit.xml").getroot().attrib["failures"]) > 0
    assert re.search(r"^::error", done.stderr, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["scenarios", "a.yaml", "b.yaml", "--tolerance", "0.2", "--bound", "0.1"], "--tolerance 0.2"),
        (["scenarios", "a.yaml", "b.yaml", "--env-b", "=1"], "NAME=VALUE"),
        (
            ["scenarios", "a.yaml", "b.yaml", "--pairs", "9", "--relaunches", "5"],
            "--pairs 9 is too few for --relaunches 5",
        ),
        (["self-test", "--junit", "no/such/directory/x.xml"], "cannot be written"),
        (["self-test", "--junit", "."], "cannot be written"),
        (["self-test", "--json", f"{__file__}/x.json"], "cannot be written"),
        (["scenarios", "a.yaml", "b.yaml"], "a.yaml"),
    ],
)
def test_a_wrong_value_is_one_line_and_exit_code_two(arguments: list[str], words: str) -> None:
    done = run_in_process("check", *arguments)

    assert (done.returncode, words in done.stderr, done.stderr.count("\n")) == (2, True, 1)


def test_a_missing_baseline_exits_with_four(results: Path) -> None:
    done = run_in_process("check", "results", results, "--baseline", results / "none.json")

    assert (done.returncode, "liecbench baseline" in done.stderr) == (4, True)


def test_a_baseline_of_other_cells_exits_with_four(stored: Path, tmp_path: Path) -> None:
    larger = {"batch_size": 64}
    other = write_ledger(tmp_path / "other", *(run_of(f"c{seed}", seed=seed, task=larger) for seed in range(5)))
    done = run_in_process("check", "results", other, "--baseline", stored)

    assert done.returncode == 4
    assert "batch_size: 32 in the baseline, 64 here" in " ".join(done.stdout.split())


def test_matrices_of_different_shapes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SCENARIO)
    (tmp_path / "b.yaml").write_text(SCENARIO.replace("[ddp]", "[ddp, psgd]"))
    done = run_in_process("check", "scenarios", tmp_path / "a.yaml", tmp_path / "b.yaml")

    assert (done.returncode, "A has 1 cells besides its seeds, and B 2" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], StoppingRule(tolerance=0.02, bound=0.10, most_pairs=60, fewest_relaunches=5)),
        (["--pairs", "40", "--relaunches", "6"], StoppingRule(most_pairs=40, fewest_relaunches=6)),
    ],
    ids=["defaults", "options"],
)
def test_options_set_the_rule(monkeypatch: pytest.MonkeyPatch, options: list[str], expected: StoppingRule) -> None:
    rules: list[StoppingRule] = []

    def self_test(check: PairedCheck) -> Outcome:
        rules.append(check.rule)
        return Outcome(results=())

    monkeypatch.setattr(PairedCheck, "self_test", self_test)
    run_in_process("check", "self-test", *options)

    assert rules == [expected]


def test_two_scenarios_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paired_check, "PairedComparison", functools.partial(PairedComparison, burst_seconds=0.02))
    (tmp_path / "a.yaml").write_text(SCENARIO)
    (tmp_path / "b.yaml").write_text(SCENARIO.replace("[ddp]", "[psgd]"))
    scenarios = [str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")]
    options = ["--pairs", "7", "--relaunches", "1", "--env-b", "SECRET=hidden", "--format", "json"]
    done = run_in_process("check", "scenarios", *scenarios, *options)

    found = json.loads(done.stdout)
    (timed,) = found["findings"]
    assert (timed["metric"], len(timed["pairs"])) == ("step_seconds", 7)
    assert (timed["verdict"], done.returncode) == ("inconclusive", 3)  # one launch gives no verdict
    assert found["settings"]["variables_b"] == ["SECRET"]
    assert found["settings"]["fewest_relaunches"] == 1
    assert "hidden" not in done.stdout
    assert [line for line in done.stderr.splitlines() if line.startswith("relaunch")] == [
        f"relaunch 1: starting {side} ({path})" for side, path in zip("AB", scenarios, strict=True)
    ]


def test_an_interruption_leaves_no_process(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SCENARIO)
    path = str(tmp_path / "s.yaml")
    with running_command(tmp_path, "check", "scenarios", path, path) as command:
        command.wait_for(lambda: "starting B" in command.stderr(), "the start of B")
        command.wait_for(lambda: len(command.tree.ranks()) >= 2, "ranks")
        namespaces = command.tree.namespaces()
        command.process.terminate()
        status = command.process.wait(TIMEOUT_SECONDS)
        command.tree.assert_gone(namespaces)

    assert status == 130


def test_a_summary_that_cannot_be_written_hides_no_regression(results: Path, stored: Path, heavier: Path) -> None:
    environment = {"GITHUB_STEP_SUMMARY": str(results / "no/such/directory/summary.md")}
    options = ("--baseline", stored, "--github")
    failing = run_in_process("check", "results", heavier, *options, environment=environment)
    passing = run_in_process("check", "results", results, *options, environment=environment)

    assert (failing.returncode, "FAIL" in failing.stdout) == (1, True)
    assert (passing.returncode, "PASS" in passing.stdout) == (2, True)
