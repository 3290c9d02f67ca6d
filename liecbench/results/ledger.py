"""The ledger of a results directory: an append-only file with one JSON record per line."""

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Final, Self

from liecbench.errors import LiecbenchError
from liecbench.results.ledger_line import seal
from liecbench.results.record_json import from_json, to_json
from liecbench.results.records import Record

LEDGER_NAME: Final = "records.jsonl"
_BLOCK_BYTES: Final = 2**20


class Ledger:
    """The write end of a results directory's ledger: each record is appended and synced to the disk.

    One process writes at a time: rank 0 while a launch lives, else the ``liecbench`` command. If another process has
    written since the last append, the next append first counts the file's lines again, to number the new line.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / LEDGER_NAME
        self._file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._size = 0
        self._num_lines = 0

    def append(self, record: Record) -> None:
        """Append one record with its number and checksum, and return once it is on the disk.

        Raises:
            LiecbenchError: If the disk is full or fails.
            ValueError: If readers would refuse the record, for instance for a negative size. Nothing is written.
        """
        text = to_json(record)
        from_json(text)
        try:
            self._count_lines()
            line = (seal(text, self._num_lines + 1) + "\n").encode()
            remaining = line
            while remaining:
                remaining = remaining[os.write(self._file, remaining) :]
            os.fsync(self._file)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)  # what was written of the line
            remedy = "free disk space and run again: every earlier record is kept"
            raise LiecbenchError(f"{self._path}: {error.strerror}", remedy) from error
        self._size, self._num_lines = self._size + len(line), self._num_lines + 1

    def _count_lines(self) -> None:
        """Count the file's lines again if its size shows that another process wrote after this object's last append."""
        size = os.fstat(self._file).st_size
        if size == self._size:
            return
        offset, self._num_lines = (self._size, self._num_lines) if size > self._size else (0, 0)
        while offset < size:
            block = os.pread(self._file, min(_BLOCK_BYTES, size - offset), offset)
            self._num_lines += block.count(b"\n")
            offset += len(block)
        self._size = size

    def lock(self, directory: Path) -> None:
        """Lock the ledger against other runs until it is closed, and cut off a last line that a crash left incomplete.

        Raises:
            LiecbenchError: If another run uses the directory.
        """
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LiecbenchError(
                f"{directory} is in use by another run", "wait for it, or give another --out"
            ) from None
        self.truncate_partial_line()

    def truncate_partial_line(self) -> None:
        """Cut off the last line if it has no line end: a crash interrupted its write."""
        size = end = os.fstat(self._file).st_size
        while end:
            start = max(0, end - _BLOCK_BYTES)
            found = os.pread(self._file, end - start, start).rfind(b"\n")
            end = start + found + 1 if found >= 0 else start
            if found >= 0:
                break
        if end < size:
            os.ftruncate(self._file, end)

    def close(self) -> None:
        """Close the file, which releases the lock."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
