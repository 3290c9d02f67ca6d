"""SIGKILL of any process at any moment: records are kept, and a repeated run ends with the same numbers.

By default one kill, with ``--long`` three more; ``--kills 50`` is as long as it says.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from liecbench.results.cells import replay
from liecbench.results.ledger_reader import read
from liecbench.results.records import End, Epoch
from tests.cli.in_process import run_in_process
from tests.commands import Command, running_command
from tests.finished_run import LINK_IS_OFF
from tests.namespace_support import skip_without_namespaces
from tests.recorded import numbers, records
from tests.short_sessions import SHORT_SESSIONS, shorten
from tests.waiting import TIMEOUT_SECONDS

SCENARIO: Final = """
name: chaos
task:
  dataset: digits
  model: {name: mlp, width: 64, layers: 1}
  batch_size: 32
  epochs: 4
  learning_rate: 0.1
matrix:
  algorithm: [{name: liec, average_period: 4}, cser]
  compressor: [sign]
  workers: [2]
  link: [40mbit]
timing: interleaved
timing_precision: 1
"""
NUM_CELLS: Final = 4  # two trajectories, and two cells whose steps are timed
NUM_EPOCHS: Final = 4


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """A run without kills."""

    directory: Path
    seconds: float


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    skip_without_namespaces()
    path = tmp_path_factory.mktemp("scenario") / "chaos.yaml"
    path.write_text(SCENARIO)
    return path


@pytest.fixture(scope="module")
def undisturbed(scenario: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    directory = tmp_path_factory.mktemp("undisturbed") / "results"
    started = time.monotonic()
    _complete(scenario, directory)
    # A command in a process of its own first imports torch: a kill may come at any moment of it, too.
    return Undisturbed(directory, 1.3 * (time.monotonic() - started))


def _running(scenario: Path, directory: Path, scratch: Path) -> AbstractContextManager[Command]:
    return running_command(scratch, "run", str(scenario), "--out", str(directory), "--quiet", prefix=SHORT_SESSIONS)


def _complete(scenario: Path, directory: Path) -> None:
    """Run to the end; up to twice more if a busy machine disturbed the links so much that a cell failed for it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        shorten(monkeypatch)
        for _ in range(3):
            done = run_in_process("run", scenario, "--out", directory, "--quiet")
            if LINK_IS_OFF not in " ".join(done.stdout.split()):
                break
    assert done.returncode == 0, done.stderr


def _kill(command: Command, chance: random.Random) -> None:
    """Kill the command, a template process, torchrun's agent or a rank; anything else if there is none of that kind."""
    described = command.tree.describe()
    groups = [
        [command.process.pid],
        command.tree.named("liec-template"),
        command.tree.named("liec-torchrun"),
        list(command.tree.ranks().values()),
    ]
    victims = groups[chance.randrange(len(groups))] or sorted(described)
    with contextlib.suppress(ProcessLookupError):
        os.kill(chance.choice(victims), signal.SIGKILL)


def _disturb(scenario: Path, directory: Path, scratch: Path, chance: random.Random, seconds: float) -> bool:
    """Run until a kill at a random moment; False where the run was over before it."""
    with _running(scenario, directory, scratch) as command:
        with contextlib.suppress(subprocess.TimeoutExpired):
            command.process.wait(chance.uniform(0, seconds))
            return False
        namespaces = command.tree.namespaces()
        _kill(command, chance)
        with contextlib.suppress(subprocess.TimeoutExpired):
            command.process.wait(6 * TIMEOUT_SECONDS)
        command.process.kill()  # it may have outlived a process that had just ended
        command.process.wait(TIMEOUT_SECONDS)
        command.tree.assert_gone(namespaces)
    return True


def _by_cell(directory: Path) -> dict[str, list[dict[str, Any]]]:
    cells: dict[str, list[dict[str, Any]]] = {}
    for record in records(directory):
        if isinstance(record, Epoch):
            cells.setdefault(record.cell, []).append(numbers(record))
    return cells


def _assert_as_if_undisturbed(directory: Path, undisturbed: Undisturbed) -> None:
    found = _by_cell(directory)
    assert {cell: [epoch["epoch"] for epoch in epochs] for cell, epochs in found.items()} == {
        cell: list(range(1, NUM_EPOCHS + 1)) for cell in _by_cell(undisturbed.directory)
    }
    assert found == _by_cell(undisturbed.directory)
    statuses = Counter(record.status for record in records(directory) if isinstance(record, End))
    assert statuses["completed"] == NUM_CELLS
    assert set(statuses) <= {"completed", "failed"}
    assert not list((directory / "checkpoints").iterdir())


def test_timed_cells_are_their_trajectory_with_times_of_their_own(undisturbed: Undisturbed) -> None:
    cells = replay(read(undisturbed.directory))
    timed = [cell for cell in cells.values() if cell.spec["timing"] == "interleaved"]
    assert len(timed) == 2
    for cell in timed:
        for ours, theirs in zip(cell.epochs, cells[cell.trajectory].epochs, strict=True):
            kept = {name: value for name, value in numbers(ours).items() if name not in ("cell", "timed_steps")}
            assert kept == {name: numbers(theirs)[name] for name in kept}
            assert sum((ours.step_kinds or {}).values()) == ours.steps
            assert ours.wire_bytes is not None
            assert sum(ours.wire_bytes["sent"]) > sum(ours.payload_bytes["sent"])


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("num_kills", [1, pytest.param(3, marks=pytest.mark.long)])
def test_kills_change_no_number(
    num_kills: int, scenario: Path, undisturbed: Undisturbed, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    num_kills = request.config.getoption("--kills") or num_kills
    chance, directory = random.Random(num_kills), tmp_path / "results"
    while num_kills:
        if _disturb(scenario, directory, tmp_path, chance, undisturbed.seconds):
            num_kills -= 1
        else:
            _assert_as_if_undisturbed(directory, undisturbed)
            shutil.rmtree(directory)
    _complete(scenario, directory)
    _assert_as_if_undisturbed(directory, undisturbed)
