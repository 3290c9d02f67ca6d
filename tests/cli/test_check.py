import functools
import json
from pathlib import Path

import pytest

from liecbench.check.paired import paired_check
from liecbench.check.paired.paired_check import PairedCheck
from liecbench.check.paired.rule_settings import StoppingRule
from liecbench.check.paired.session import PairedComparison
from liecbench.check.verdict import Outcome
from tests.cli.in_process import run_in_process
from tests.commands import running_command
from tests.waiting import TIMEOUT_SECONDS

SCENARIO = """\
name: paired
task: {dataset: digits, model: {name: mlp, width: 32}, batch_size: 32, epochs: 2, learning_rate: 0.1}
matrix:
  algorithm: [ddp]
  workers: [2]
  link: [none]
"""


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
