"""The command ``liecbench theory``."""

import json
from pathlib import Path

import pytest

from tests.cli.in_process import run_in_process

FILE = """\
name: small
studies:
  - measure: stationary_gradient
    task: {name: quadratic, dimension: 8}
    steps: 20
    learning_rate: 0.1
    matrix: {algorithm: [psgd, csgd], compressor: [sign], workers: [1, 2]}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "small.yaml").write_text(FILE)
    return tmp_path / "small.yaml"


def test_studies_are_printed_as_a_table_with_progress_on_standard_error(path: Path) -> None:
    done = run_in_process("theory", path)

    assert done.returncode == 0
    assert done.stdout.startswith("stationary ‖∇f(x̄)‖²: quadratic (dimension 8), 20 steps\n")
    assert done.stderr == "study 1 of 1: 1 of 2 methods\nstudy 1 of 1: 2 of 2 methods\n"


def test_json_is_alone_on_standard_output(path: Path) -> None:
    done = run_in_process("theory", path, "--format", "json", "--seeds", "2", "--quiet")
    (study,) = json.loads(done.stdout)["studies"]

    assert (done.returncode, done.stderr, study["seeds"]) == (0, "", [0, 1])
    assert [(row["algorithm"], row["workers"]) for row in study["rows"]] == [
        ("psgd", 1),
        ("psgd", 2),
        ("csgd", 1),
        ("csgd", 2),
    ]


def test_a_mistake_is_a_usage_error(path: Path) -> None:
    path.write_text(FILE.replace("psgd", "psgdd"))
    done = run_in_process("theory", path)

    assert (done.returncode, done.stdout) == (2, "")
    assert f"{path}:7:26: studies[0].matrix.algorithm[0].name: there is no algorithm 'psgdd'" in done.stderr


def test_run_says_which_command_takes_the_file(path: Path) -> None:
    done = run_in_process("run", path)

    assert done.returncode == 2
    assert f"{path}:2:1: studies: simulated studies, not a scenario to train; run `liecbench theory`" in done.stderr
