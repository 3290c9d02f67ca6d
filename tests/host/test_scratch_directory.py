import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import pytest

from liecbench.host.scratch_directory import scratch_directory

HOLD = """
import sys
from liecbench.host.scratch_directory import scratch_directory
with scratch_directory("test") as directory:
    (directory / "file").touch()
    print(directory, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory for temporary files of this process and its children."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


@contextlib.contextmanager
def holder() -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Start a process that holds a directory until its standard input ends; yield the process and its directory."""
    with subprocess.Popen([sys.executable, "-c", HOLD], stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())


def test_a_directory_is_removed_when_its_context_ends(temporary: Path) -> None:
    with scratch_directory("test") as directory:
        assert directory.parent == temporary
        assert directory.name.startswith("liecbench-test-")
        assert names(directory) == {"in-use"}

    assert names(temporary) == set()


def test_the_directory_of_a_killed_process_is_removed_and_that_of_a_live_one_stays(temporary: Path) -> None:
    with holder() as (killed, left), holder() as (_, kept):
        killed.kill()
        killed.wait()
        assert (left / "file").exists()
        with scratch_directory("test") as directory:
            assert names(temporary) == {directory.name, kept.name}
        assert (kept / "file").exists()

    assert names(temporary) == set()


def test_directories_of_other_purposes_and_without_a_lock_stay(temporary: Path) -> None:
    for name in ("liecbench-test-old", "liecbench-other-x"):
        (temporary / name).mkdir()
    (temporary / "liecbench-other-x" / "in-use").touch()
    with scratch_directory("test"):
        pass

    assert names(temporary) == {"liecbench-test-old", "liecbench-other-x"}


def test_a_link_is_not_followed(temporary: Path) -> None:
    target = temporary / "mine"
    target.mkdir()
    (target / "in-use").touch()
    (temporary / "liecbench-test-link").symlink_to(target)
    with scratch_directory("test"):
        pass

    assert (target / "in-use").exists()
