"""Full and read-only disks: the error is clear, and no record is lost."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from liecbench.results.records import End
from tests.disk_steps import CANNOT_MOUNT
from tests.namespace_support import skip_without_namespaces
from tests.process_tree import ROOT, Tree
from tests.recorded import epochs, records

SCENARIO: Final = """
name: disk
timing: end_to_end
task: {dataset: digits, model: {name: mlp, width: 1024, layers: 1}, batch_size: 64, epochs: 3, learning_rate: 0.1}
matrix: {algorithm: [psgd], workers: 2, link: none}
"""


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with the status, the messages and the results after each step."""
    skip_without_namespaces()
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare(1) to mount a small disk with")
    path = tmp_path_factory.mktemp("disk")
    disk, copies = path / "disk", path / "copies"
    disk.mkdir()
    copies.mkdir()
    (path / "scenario.yaml").write_text(SCENARIO)
    tree = Tree()
    try:
        done = subprocess.run(
            ["unshare", "-rm", sys.executable, "-m", "tests.disk_steps", disk, copies, path / "scenario.yaml"],
            cwd=ROOT,
            env=tree.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=150,
            check=False,
        )
    finally:
        tree.end()
    if done.returncode == CANNOT_MOUNT:
        pytest.skip("the kernel refuses to mount a small disk")
    assert done.returncode == 0
    return copies


def output(copies: Path, step: str) -> tuple[int, str]:
    return int((copies / f"{step}.status").read_text()), (copies / f"{step}.txt").read_text()


def test_a_full_disk_is_reported_and_the_cell_stays_unfinished(copies: Path) -> None:
    status, text = output(copies, "full")

    assert (status, "Traceback" in text) == (2, False)
    assert "No space left on device" in text
    assert not [record for record in records(copies / "full") if isinstance(record, End)]


def test_with_space_again_the_run_resumes_from_its_checkpoint(copies: Path) -> None:
    kept, found = epochs(copies / "full"), epochs(copies / "space")

    assert (output(copies, "space")[0], [epoch.epoch for epoch in found]) == (0, [1, 2, 3])
    assert kept == found[: len(kept)]


def test_a_read_only_disk_is_reported(copies: Path) -> None:
    status, text = output(copies, "read-only")

    assert (status, "Traceback" in text) == (2, False)
    assert "Read-only file system; give a directory that can be written with --out" in text
