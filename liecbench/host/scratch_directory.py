"""Temporary directories that the next process removes if the process that made one was killed."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

# Locked as long as the process lives that made the directory.
_LOCK: Final = "in-use"


@contextlib.contextmanager
def scratch_directory(purpose: str) -> Iterator[Path]:
    """Make a temporary directory, and remove it when the context ends.

    First remove the directories of the same purpose that this user's processes made and left because they were killed.

    Args:
        purpose: A word in the directory's name, which is ``liecbench-PURPOSE-`` and random characters.

    Yields:
        The directory's absolute path. It has a file ``in-use``.
    """
    prefix = f"liecbench-{purpose}-"
    for directory in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with contextlib.suppress(OSError):  # it is in use, or has no lock
            _remove_unused(directory)
    with tempfile.TemporaryDirectory(prefix=prefix) as made, _locked(Path(made)):
        yield Path(made).resolve()


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    unlocked = directory / "not-yet-in-use"
    with unlocked.open("xb") as lock:
        with contextlib.suppress(OSError):  # some network file systems have no locks
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unlocked.rename(directory / _LOCK)  # other processes see the file only when it is locked
        yield


def _remove_unused(directory: Path) -> None:
    """Remove a directory of this user whose lock nobody holds. Raises OSError if somebody does, or it has none."""
    if directory.lstat().st_uid != os.getuid():
        return
    descriptor = os.open(directory / _LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(directory, ignore_errors=True)
