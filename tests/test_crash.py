import os
import shlex
import signal
from pathlib import Path
from typing import Final

import pytest

from liecbench.results.ledger_reader import read
from liecbench.results.records import End, Epoch, Start
from tests import disturbed
from tests.cli.in_process import run_in_process
from tests.commands import Command, running_command
from tests.disturbed import run_disturbed
from tests.namespace_support import WITHOUT_NAMESPACES, skip_without_namespaces
from tests.namespaces import holders
from tests.recorded import epochs, records
from tests.waiting import TIMEOUT_SECONDS, wait_for

WORKERS: Final = 2
_SCENARIO: Final = """
name: crash
timing: end_to_end
task:
  dataset: digits
  model: {name: mlp, width: 16, layers: 1}
  batch_size: 64
  epochs: EPOCHS
  learning_rate: 0.1
matrix:
  algorithm: [ALGORITHMS]
  compressor: [sign]
  workers: [2]
  link: [20mbit]
"""
ENDLESS: Final = _SCENARIO.replace("EPOCHS", "2000").replace("ALGORITHMS", "{name: liec, average_period: 4}")
_THREE_ALGORITHMS: Final = "psgd, {name: liec, task: {epochs: 2000}}, ddp"
THREE_CELLS: Final = _SCENARIO.replace("EPOCHS", "1").replace("ALGORITHMS", _THREE_ALGORITHMS)


@pytest.fixture(autouse=True)
def _namespaces() -> None:
    skip_without_namespaces()


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scenario") / "endless.yaml"
    path.write_text(ENDLESS)
    return path


def _namespaces_of_training(command: Command) -> set[str]:
    """Return the hub's and the workers' namespaces, once training runs in them."""
    namespaces = command.tree.namespaces()
    assert len(namespaces) == 1 + WORKERS
    assert len(command.tree.ranks()) == WORKERS
    return namespaces


def _assert_ledger_is_whole(directory: Path) -> None:
    """Assert that every epoch is there once, in order, and that attempts never decrease."""
    found = records(directory)
    recorded = [record for record in found if isinstance(record, Epoch)]
    assert [record.epoch for record in recorded] == list(range(1, len(recorded) + 1))
    attempts = [record.attempt for record in found]
    assert attempts == sorted(attempts)
    assert not [record for record in found if isinstance(record, End) and record.status != "failed"]


def test_interrupt_keeps_epochs_and_says_how_to_go_on(scenario: Path, tmp_path: Path) -> None:
    directory = tmp_path / "results"
    with running_command(tmp_path, "run", str(scenario), "--out", str(directory)) as command:
        command.wait_for(lambda: len(epochs(directory)) >= 2, "two epochs are recorded")
        namespaces = _namespaces_of_training(command)
        other = run_in_process("run", scenario, "--out", directory)
        assert (other.returncode, "in use by another run" in other.stderr) == (2, True)
        num_before = len(epochs(directory))
        command.process.send_signal(signal.SIGINT)
        assert command.process.wait(TIMEOUT_SECONDS) == 130
        command.tree.assert_gone(namespaces)
        said = command.stderr()
    assert "Traceback" not in said
    assert f"interrupted; every finished epoch is kept in {directory}. To continue: " in said
    _assert_ledger_is_whole(directory)
    last = epochs(directory)[-1]
    assert last.epoch >= num_before
    kept = {path.name for path in (directory / "checkpoints" / last.cell).iterdir()}
    assert {f"epoch-{last.epoch}.rank-{rank}.pt" for rank in range(WORKERS)} <= kept
    program, *again = shlex.split(said.strip().rpartition("To continue: ")[2])
    assert program == "liecbench"
    forecast = run_in_process(*again, "--dry-run")
    assert forecast.returncode == 0, forecast.stderr
    assert f"{2000 - last.epoch} epochs" in forecast.stdout


def test_a_terminated_run_goes_on_with_the_same_data_alone(tmp_path: Path) -> None:
    path, corpus, directory = tmp_path / "text.yaml", tmp_path / "corpus.txt", tmp_path / "results"
    model = "{name: gpt, width: 8, layers: 1, heads: 1}"
    task = f"{{name: text, path: {corpus}, context: 8}}\n  model: {model}"
    path.write_text(ENDLESS.replace("digits\n  model: {name: mlp, width: 16, layers: 1}", task))
    corpus.write_text("from one thing to another " * 100)

    def terminate() -> None:
        wait_for(lambda: len(epochs(directory)) >= 2, "two epochs are recorded")
        os.kill(os.getpid(), signal.SIGTERM)

    terminated = run_disturbed(terminate, "run", path, "--out", directory)
    corpus.write_text("from one thing to another " * 99 + "from one place to another ")
    num_before = len(epochs(directory))
    again = run_in_process("run", path, "--out", directory, "--quiet")
    first, last = (record.environment.data_sha256 for record in records(directory) if isinstance(record, Start))

    assert (terminated.returncode, "interrupted" in terminated.stderr, disturbed.ranks()) == (130, True, {})
    assert (again.returncode, len(epochs(directory))) == (5, num_before)
    assert "the data of text differ from those of earlier epochs" in again.stdout
    assert first == last  # so that the next run sees it, too


def test_sigkill_in_training_leaves_nothing(scenario: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    with running_command(tmp_path, "run", str(scenario), "--out", str(results), "--quiet") as command:
        command.wait_for(lambda: epochs(results), "an epoch is recorded")
        namespaces = _namespaces_of_training(command)
        command.process.send_signal(signal.SIGKILL)
        command.process.wait(TIMEOUT_SECONDS)
        command.tree.assert_gone(namespaces)
    _assert_ledger_is_whole(results)
    assert [r.attempt for r in read(results) if isinstance(r, Start)] == [1]


def test_unshaped_run_without_namespaces_leaves_nothing(scenario: Path, tmp_path: Path) -> None:
    directory = tmp_path / "results"
    arguments = ["run", str(scenario), "--out", str(directory), "--set", "matrix.link=[none]"]
    with running_command(tmp_path, *arguments, prefix=WITHOUT_NAMESPACES) as command:
        command.wait_for(lambda: epochs(directory), "an epoch is recorded")
        assert not command.tree.namespaces()
        assert len(command.tree.ranks()) == WORKERS
        assert "the kernel refuses namespaces" in command.stderr()
        command.process.send_signal(signal.SIGKILL)
        command.process.wait(TIMEOUT_SECONDS)
        command.tree.assert_gone(set())
    _assert_ledger_is_whole(directory)
    assert all(epoch.wire_bytes is None for epoch in epochs(directory))


@pytest.fixture(scope="module")
def with_killed_rank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of three cells, of which the second lost a rank in training."""
    skip_without_namespaces()
    path = tmp_path_factory.mktemp("rank")
    scenario, directory = path / "three.yaml", path / "results"
    scenario.write_text(THREE_CELLS)
    seen: set[str] = set()

    def kill() -> None:
        wait_for(lambda: len(epochs(directory)) >= 3, "the second cell is in training")
        seen.update(disturbed.namespaces())
        os.kill(disturbed.ranks()[1], signal.SIGKILL)

    done = run_disturbed(kill, "run", scenario, "--out", directory)
    assert (done.returncode, len(seen), holders(seen)) == (5, 1 + WORKERS, set()), done.stderr
    return directory


def test_cell_of_a_killed_rank_is_failed_with_the_logs_end(with_killed_rank: Path) -> None:
    unfinished = [r for r in records(with_killed_rank) if isinstance(r, End) and r.status != "completed"]
    assert len(unfinished) == 1, [end.error for end in unfinished]
    (failed,) = unfinished
    assert failed.status == "failed"
    assert failed.error is not None
    assert "; first was rank 1: killed by SIGKILL, usually by the kernel because memory ran out" in failed.error
    log = (with_killed_rank / "logs" / "launch-1.log").read_text().splitlines()
    assert len(log) >= 5
    assert failed.error.splitlines()[-5:] == log[-5:]
    (start,) = (r for r in records(with_killed_rank) if isinstance(r, Start) and r.cell == failed.cell)
    assert start.spec["algorithm"]["name"] == "liec"


def test_cells_beside_a_killed_rank_complete(with_killed_rank: Path) -> None:
    names = {r.cell: r.spec["algorithm"]["name"] for r in records(with_killed_rank) if isinstance(r, Start)}
    ends = [r for r in records(with_killed_rank) if isinstance(r, End)]
    assert {names[end.cell]: end.status for end in ends} == {"psgd": "completed", "liec": "failed", "ddp": "completed"}
    assert len(ends) == 3


def test_failed_cell_keeps_its_epochs_and_their_checkpoint(with_killed_rank: Path) -> None:
    (failed,) = (r for r in records(with_killed_rank) if isinstance(r, End) and r.status == "failed")
    recorded = epochs(with_killed_rank, failed.cell)
    assert [epoch.epoch for epoch in recorded] == list(range(1, len(recorded) + 1))
    kept = {path.name for path in (with_killed_rank / "checkpoints" / failed.cell).iterdir()}
    assert {f"epoch-{len(recorded)}.rank-{rank}.pt" for rank in range(WORKERS)} <= kept


def test_cell_that_cannot_be_built_leaves_the_others_alone(tmp_path: Path) -> None:
    path, directory = tmp_path / "scenario.yaml", tmp_path / "results"
    models = "[{name: mlp, width: 16}, {name: mlp, width: 1000000000}, {name: mlp, width: 17}]"
    path.write_text(THREE_CELLS.replace("[psgd, {name: liec, task: {epochs: 2000}}, ddp]", f"[ddp]\n  model: {models}"))
    ran = run_in_process("run", str(path), "--out", str(directory))
    ends = [record.status for record in read(directory) if isinstance(record, End)]

    assert (ran.returncode, ends) == (5, ["completed", "failed", "completed"])
    assert "1/1 failed" in ran.stdout
    assert "RuntimeError" in ran.stdout


def test_a_launch_that_ended_before_its_first_cell_is_tried_once_more(tmp_path: Path) -> None:
    path, directory = tmp_path / "scenario.yaml", tmp_path / "results"
    path.write_text(_SCENARIO.replace("EPOCHS", "1").replace("ALGORITHMS", "psgd, ddp"))

    def kill() -> None:
        os.kill(next(iter(wait_for(disturbed.ranks, "a rank has started").values())), signal.SIGKILL)
        assert not records(directory)

    done = run_disturbed(kill, "run", path, "--out", directory)
    assert (done.returncode, done.stderr.count("it is tried once more")) == (0, 1), done.stderr
    assert [(r.attempt, r.status) for r in records(directory) if isinstance(r, End)] == [(1, "completed")] * 2


def test_a_launch_that_ends_twice_before_its_first_cell_has_failed(tmp_path: Path) -> None:
    path, directory = tmp_path / "scenario.yaml", tmp_path / "results"
    path.write_text(_SCENARIO.replace("EPOCHS", "1").replace("ALGORITHMS", "psgd, ddp"))

    def kill() -> None:
        for number in (1, 2):
            wait_for((directory / "logs" / f"launch-{number}.log").exists, f"launch {number} has begun")
            os.kill(next(iter(wait_for(disturbed.ranks, "a rank has started").values())), signal.SIGKILL)

    done = run_disturbed(kill, "run", path, "--out", directory)
    assert done.returncode == 5, done.stderr
    ends = [r for r in records(directory) if isinstance(r, End)]
    assert [end.status for end in ends] == ["failed"] * 2
    assert all("the launch ended with status" in (end.error or "") for end in ends)


def test_a_cell_that_hangs_is_failed_and_the_others_complete(tmp_path: Path) -> None:
    path, directory = tmp_path / "three.yaml", tmp_path / "results"
    path.write_text(f"{THREE_CELLS}step_timeout: 8\n")
    seen: set[str] = set()

    def stop() -> None:
        wait_for(lambda: len(epochs(directory)) >= 3, "the second cell is in training")
        seen.update(disturbed.namespaces())
        os.kill(disturbed.ranks()[0], signal.SIGSTOP)

    done = run_disturbed(stop, "run", path, "--out", directory)
    assert (done.returncode, len(seen), holders(seen)) == (5, 1 + WORKERS, set()), done.stderr
    ends = [record for record in records(directory) if isinstance(record, End)]
    assert [end.status for end in ends] == ["completed", "failed", "completed"]
    assert "no step for 8 s (step_timeout)" in (ends[1].error or "")
