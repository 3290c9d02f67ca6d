"""One finished `liecbench run`, shared by all tests that only read results.

Ask for the fixture `finished_run` (tests/conftest.py): the first test that does makes the run, all others read it, also
in other pytest-xdist workers. Five methods train the digits for three epochs on two workers at 20 Mbit/s, traced.
Never write to `finished_run.directory`, and run no command on it that could: take `finished_run.copy(tmp_path)`.
"""

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

import pytest
from filelock import FileLock

from liecbench.results.records import CellRecord, Epoch, Start
from tests.commands import run_command
from tests.process_tree import Tree
from tests.recorded import records

ALGORITHMS: Final = ["ddp", "psgd", "memsgd", "doublesqueeze", "liec"]
AVERAGE_PERIOD: Final = 4
EPOCHS: Final = 3
BATCH_SIZE: Final = 32
WORKERS: Final = 2
RATE: Final = 20e6
BLOCK_BYTES: Final = 40_000
# The error of a cell whose link failed its check.
LINK_IS_OFF: Final = "the link is off by more than"
SCENARIO: Final = f"""
name: end-to-end
timing: end_to_end
task:
  dataset: digits
  model: {{name: mlp, width: 128, layers: 2}}
  batch_size: {BATCH_SIZE}
  epochs: {EPOCHS}
  learning_rate: 0.1
matrix:
  algorithm: [ddp, psgd, memsgd, doublesqueeze, {{name: liec, average_period: {AVERAGE_PERIOD}}}]
  compressor: [sign]
  workers: [{WORKERS}]
  link: [20mbit]
block_bytes: {BLOCK_BYTES}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRun:
    """A scenario, its results directory, and what the command printed.

    Attributes:
        mark: the value that was in the environment of every process of the run.
    """

    scenario: Path
    directory: Path
    mark: str
    returncode: int
    stdout: str
    stderr: str

    @classmethod
    def make(cls, path: Path, *options: str) -> Self:
        """Run SCENARIO in the new directory ``path``."""
        path.mkdir()
        scenario, directory, tree = path / "scenario.yaml", path / "results", Tree()
        scenario.write_text(SCENARIO)
        done = run_command(tree, "run", str(scenario), "--out", str(directory), *options)
        return cls(
            scenario=scenario,
            directory=directory,
            mark=tree.mark,
            returncode=done.returncode,
            stdout=done.stdout,
            stderr=done.stderr,
        )

    @classmethod
    def shared(cls, temporary: pytest.TempPathFactory) -> Self:
        """Return the run of this pytest session; the first caller of all xdist workers makes it."""
        base = temporary.getbasetemp()
        # xdist gives each worker a directory of its own, below one of the session.
        place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "finished-run"
        described = place.with_suffix(".json")
        with FileLock(place.with_suffix(".lock")):
            if not described.exists():
                run = cls._over_steady_links(place)
                described.write_text(json.dumps(asdict(run), default=str))
        fields = json.loads(described.read_text())
        return cls(**{**fields, "scenario": Path(fields["scenario"]), "directory": Path(fields["directory"])})

    @classmethod
    def _over_steady_links(cls, place: Path) -> Self:
        """Make the run; up to twice more if a busy machine disturbed the links so much that a cell failed for it."""
        for _ in range(3):
            shutil.rmtree(place, ignore_errors=True)
            run = cls.make(place, "--trace")
            if LINK_IS_OFF not in " ".join(run.stdout.split()):
                break
        return run

    def copy(self, to: Path) -> Path:
        """Copy the results directory into ``to``, for a test that changes it, and return the copy's path."""
        return Path(shutil.copytree(self.directory, to / "results"))

    def records(self) -> list[CellRecord]:
        """Return all records of the ledger."""
        return records(self.directory)

    def records_of(self, algorithm: str) -> list[CellRecord]:
        """Return the records of one algorithm's cell."""
        found = self.records()
        cells = {r.cell for r in found if isinstance(r, Start) and r.spec["algorithm"]["name"] == algorithm}
        return [record for record in found if record.cell in cells]

    def epochs_of(self, algorithm: str) -> list[Epoch]:
        """Return the epochs of one algorithm's cell."""
        return [record for record in self.records_of(algorithm) if isinstance(record, Epoch)]
