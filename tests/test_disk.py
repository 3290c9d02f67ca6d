"""Disks that are full or may not be written: a clear error, and nothing of what was recorded is lost."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from liecbench.results.records import End
from tests.commands import command_line
from tests.namespace_support import skip_without_namespaces
from tests.process_tree import ROOT, Tree
from tests.recorded import epochs, records

SCENARIO: Final = """
name: disk
task: {dataset: digits, model: {name: mlp, width: 1024, layers: 1}, batch_size: 64, epochs: 3, learning_rate: 0.1}
matrix: {algorithm: [psgd], workers: 2, link: none}
"""
# In a mount namespace of its own: a disk that takes one checkpoint and no second, then has room, then is read-only.
# Arguments: mount point, where to leave copies, the command.
STEPS: Final = """
disk=$1; copies=$2; shift 2
mount -t tmpfs -o size=3m tmpfs "$disk" || exit 99
mkdir "$disk/results"
head -c 2100k /dev/zero > "$disk/ballast"
"$@" 2> "$copies/full.txt"; echo $? > "$copies/full.status"
cp -r "$disk/results" "$copies/full"
rm "$disk/ballast"
"$@" 2> "$copies/room.txt"; echo $? > "$copies/room.status"
cp -r "$disk/results" "$copies/room"
rm -r "$disk/results"
mount -o remount,ro "$disk"
"$@" 2> "$copies/read-only.txt"; echo $? > "$copies/read-only.status"
"""


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What each of the steps left."""
    skip_without_namespaces()
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare(1) to mount a small disk with")
    path = tmp_path_factory.mktemp("disk")
    disk, copies = path / "disk", path / "copies"
    disk.mkdir()
    copies.mkdir()
    (path / "scenario.yaml").write_text(SCENARIO)
    run = command_line("run", str(path / "scenario.yaml"), "--out", str(disk / "results"), "--quiet")
    tree = Tree()
    try:
        done = subprocess.run(
            ["unshare", "-rm", "sh", "-c", STEPS, "sh", str(disk), str(copies), *run],
            cwd=ROOT,
            env=tree.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=150,
            check=False,
        )
    finally:
        tree.end()
    if done.returncode == 99:
        pytest.skip("the kernel lets nobody mount a small disk here")
    return copies


def said(copies: Path, step: str) -> tuple[int, str]:
    return int((copies / f"{step}.status").read_text()), (copies / f"{step}.txt").read_text()


def test_a_full_disk_is_named_and_the_cell_stays_open(copies: Path) -> None:
    status, text = said(copies, "full")

    assert (status, "Traceback" in text) == (2, False)
    assert "No space left on device" in text
    assert not [record for record in records(copies / "full") if isinstance(record, End)]


def test_with_room_the_run_goes_on_from_what_was_kept(copies: Path) -> None:
    kept, found = epochs(copies / "full"), epochs(copies / "room")

    assert (said(copies, "room")[0], [epoch.epoch for epoch in found]) == (0, [1, 2, 3])
    assert kept == found[: len(kept)]


def test_a_read_only_disk_is_named(copies: Path) -> None:
    status, text = said(copies, "read-only")

    assert (status, "Traceback" in text) == (2, False)
    assert "Read-only file system; give a directory that can be written with --out" in text
