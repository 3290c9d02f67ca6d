"""Two revisions and two interpreters, from the command line to the outcome.

One launch gives no verdict on time, so these tests read the evidence; ``test_session.py`` has a whole check.
"""

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

import liecbench
from tests.cli.in_process import run_in_process

pytestmark = pytest.mark.timeout(600)  # two builds and a launch of two sides, on whatever machine

SCENARIO = """\
name: paired
task: {dataset: digits, model: {name: mlp, width: 32}, batch_size: 32, epochs: 2, learning_rate: 0.1}
matrix:
  algorithm: [liec]
  compressor: [identity]
  workers: [2]
  link: [none]
"""
SLOWER = """

_zero_grad = torch.optim.SGD.zero_grad


def _slower_zero_grad(optimizer: torch.optim.SGD) -> None:
    import time

    time.sleep(0.015)
    _zero_grad(optimizer)


torch.optim.SGD.zero_grad = _slower_zero_grad
"""
PERIOD = "average_period: Annotated[int, Ge(1)]"
IDENTITY = {
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@b.c",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@b.c",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


def git(directory: Path, *arguments: str) -> None:
    environment = {**os.environ, **IDENTITY}
    subprocess.run(["git", *arguments], cwd=directory, env=environment, check=True, capture_output=True)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This package in two revisions: the second averages more often by default, and its steps take 15 ms longer."""
    directory = tmp_path_factory.mktemp("repository")
    root = Path(liecbench.__file__).parents[1]
    shutil.copytree(root / "liecbench", directory / "liecbench", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(root / "scenarios", directory / "scenarios")  # part of the wheel
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, directory / name)
    git(directory, "init", "-q")
    git(directory, "add", "-A")
    git(directory, "commit", "-qm", "one")
    package = directory / "liecbench"
    edit(package / "algorithms" / "liec.py", f"{PERIOD} = 32", f"{PERIOD} = 8")
    with (package / "worker" / "timing_session.py").open("a") as module:
        module.write(SLOWER)
    git(directory, "commit", "-qam", "two")
    (directory / "s.yaml").write_text(SCENARIO)
    return directory


@pytest.fixture(scope="module")
def found(repository: Path) -> dict[str, Any]:
    command = [sys.executable, "-P", "-m", "liecbench", "check", "revisions", "s.yaml", "HEAD~1", "HEAD"]
    done = subprocess.run(
        [*command, "--pairs", "8", "--relaunches", "1", "--format", "json"],
        cwd=repository,
        capture_output=True,
        text=True,
        timeout=580,
    )
    assert done.stdout, done.stderr
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


def test_a_slower_revision_is_found(found: dict[str, Any]) -> None:
    (steps,) = (result for result in found["findings"] if result["metric"] == "step_seconds")

    assert steps["current"] > steps["baseline"]
    assert steps["evidence"]["slower"] > 1  # equal speeds give evidence below 1; 8 disturbed pairs give little above
    assert steps["verdict"] == "inconclusive"


def test_each_revision_has_its_own_defaults(found: dict[str, Any]) -> None:
    # Four times as many averaging steps, each with a dense model and gradient.
    verdicts = {result["metric"]: result["verdict"] for result in found["findings"]}

    assert verdicts["payload_bytes"] == "fail"
    assert found["exit_code"] == 1


def test_the_outcome_names_both_commits(found: dict[str, Any]) -> None:
    assert "HEAD~1" in found["settings"]["a"]
    assert "HEAD" in found["settings"]["b"]
    assert found["settings"]["a"] != found["settings"]["b"]


def test_an_interpreter_without_liecbench_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SCENARIO)
    venv.EnvBuilder(symlinks=True).create(tmp_path / "bare")
    bare = tmp_path / "bare" / "bin" / "python"
    done = run_in_process("check", "pythons", tmp_path / "s.yaml", bare, sys.executable)

    assert (done.returncode, "no liecbench is installed there" in done.stderr) == (2, True)
