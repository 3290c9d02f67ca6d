"""Decoded images and labels in memory-mapped files, so that all ranks of a machine share one copy in memory."""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from liecbench.errors import LiecbenchError
from liecbench.tasks.archives import data_directory
from liecbench.untrusted.regular_files import require_regular

# Raise this number when the code changes so that the same archives give other images or labels. Files of earlier
# editions are then not used.
_EDITION = 1


@dataclass(frozen=True, slots=True)
class Labelled:
    """Images, uint8 of shape ``[n, channels, height, width]``, and their labels, int64 of shape ``[n]``."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


Parts = tuple[Labelled, Labelled]


def prepared(stem: str, shape: tuple[int, int, int], read: Callable[[], Parts]) -> Parts:
    """Return training and test images from memory-mapped files, which are written first if they are missing.

    Writes to the returned arrays change only this process's copy.

    Args:
        stem: The beginning of the files' names. It must differ for different images.
        shape: The shape of one image.
        read: Returns the images to write if files are missing or damaged. One process calls it while others wait.

    Raises:
        LiecbenchError: If the data directory cannot be written.
    """
    directory = data_directory() / "prepared"
    found = _mapped(directory / stem, shape)
    if found is not None:
        return found
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _locked(directory):
            if _mapped(directory / stem, shape) is None:
                _write(directory / stem, read())
        found = _mapped(directory / stem, shape)
    except OSError as error:
        reason = f"images cannot be kept in {directory}: {error.strerror or error}"
        raise LiecbenchError(reason, "set LIECBENCH_DATA to a directory that can be written and has room") from error
    assert found is not None, "what was read has the shape that was asked for"
    return found


def _files(stem: Path) -> list[Path]:
    return [
        stem.with_name(f"{stem.name}-{_EDITION}-{part}.npy")
        for part in ("train", "train-labels", "test", "test-labels")
    ]


def _mapped(stem: Path, shape: tuple[int, int, int]) -> Parts | None:
    """Return the images and labels in the memory-mapped files whose paths begin with ``stem``.

    Return None if a file is missing, damaged, or holds images of another shape.
    """
    try:
        train, train_labels, test, test_labels = (_map(file) for file in _files(stem))
    except (OSError, ValueError):
        return None
    parts = Labelled(train, train_labels), Labelled(test, test_labels)
    return parts if all(_fits(part, shape) for part in parts) else None


def _map(file: Path) -> NDArray[Any]:
    require_regular(file)
    array: np.memmap[Any, np.dtype[Any]] = np.lib.format.open_memmap(file, mode="c")
    if file.stat().st_size != array.offset + array.nbytes:
        raise ValueError("there is more in the file than its header says")
    return array


def _fits(part: Labelled, shape: tuple[int, int, int]) -> bool:
    images, labels = part.images, part.labels
    return (
        images.dtype.name == "uint8"
        and labels.dtype.name == "int64"
        and images.shape[1:] == shape
        and labels.shape == images.shape[:1]
    )


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    lock = FileLock(directory / ".lock")
    try:
        lock.acquire()
    except OSError:
        pass  # This file system has no locks. Each process reads the images itself, and all write equal files.
    else:
        for left_by_a_killed_process in directory.glob("*.partial"):
            left_by_a_killed_process.unlink(missing_ok=True)
    try:
        yield
    finally:
        lock.release()


def _write(stem: Path, parts: Parts) -> None:
    arrays = [array for part in parts for array in (part.images, part.labels)]
    for file, array in zip(_files(stem), arrays, strict=True):
        partial = file.with_name(f"{file.name}.{uuid.uuid4().hex}.partial")
        try:
            with partial.open("xb") as opened:
                _save(opened, array)
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)


def _save(file: IO[bytes], array: NDArray[np.generic]) -> None:
    np.save(file, array)
    file.flush()
    os.fsync(file.fileno())  # else a power cut could keep the file's new name and lose its contents
