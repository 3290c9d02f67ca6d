"""The ledger of a results directory: an append-only file with one JSON record per line."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from liecbench.errors import LiecbenchError
from liecbench.results.records import Record, from_json, to_json

LEDGER_NAME = "records.jsonl"
_NOT_RESULTS = "give a results directory that `run` wrote"


def read(directory: Path) -> Iterator[Record]:
    """Yield every record of a results directory.

    Raises:
        LiecbenchError: If there is no ledger, or a line is damaged.
    """
    yield from LedgerReader(directory).new_records()


class LedgerReader:
    """A reader that yields a ledger's new records; a last line without its line end is left for a later call."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / LEDGER_NAME
        self._offset = 0
        self._num_lines = 0

    def new_records(self) -> Iterator[Record]:
        """Yield the records appended since the last call.

        Raises:
            LiecbenchError: If there is no ledger, or a line is damaged.
        """
        for line in self._new_lines():
            self._num_lines += 1
            yield self._parse(line)

    def _new_lines(self) -> list[str]:
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                content = file.read()
        except OSError as error:
            raise LiecbenchError(f"{self.path}: {error.strerror}", _NOT_RESULTS) from None
        complete = content[: content.rfind(b"\n") + 1]
        self._offset += len(complete)
        try:
            return complete.decode().split("\n")[:-1]
        except UnicodeDecodeError:
            raise LiecbenchError(f"{self.path}: not UTF-8 text", _NOT_RESULTS) from None

    def _parse(self, line: str) -> Record:
        try:
            return from_json(line)
        except (ValueError, RecursionError) as error:
            remedy = "use the liecbench that wrote it, or remove the damaged line"
            raise LiecbenchError(f"{self.path}:{self._num_lines}: {error}", remedy) from None


class Ledger:
    """The write end of a results directory's ledger: each record is appended and synced to the disk."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / LEDGER_NAME
        self._file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def append(self, record: Record) -> None:
        """Append one record, and return once it is on the disk.

        Raises:
            LiecbenchError: If the disk is full or fails.
        """
        remaining = (to_json(record) + "\n").encode()
        try:
            while remaining:
                remaining = remaining[os.write(self._file, remaining) :]
            os.fsync(self._file)
        except OSError as error:
            remedy = "free disk space and run again: every earlier record is kept"
            raise LiecbenchError(f"{self._path}: {error.strerror}", remedy) from error

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
        content = os.pread(self._file, os.fstat(self._file).st_size, 0)
        os.ftruncate(self._file, content.rfind(b"\n") + 1)

    def close(self) -> None:
        """Close the file, which releases the lock."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
