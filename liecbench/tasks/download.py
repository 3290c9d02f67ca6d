"""Download official archives of datasets: resume interrupted downloads, and check the archive's size and SHA-256."""

import errno
import http.client
import io
import os
import stat
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from liecbench.errors import LiecbenchError, did_you_mean
from liecbench.tasks.arrivals import Arrivals
from liecbench.tasks.official_archives import OFFICIAL, Archive, mismatch

_AGAIN = "the same command goes on from there"
_ELSEWHERE = "try again later, or get it elsewhere and give the dataset its path"
# Datasets that need no download, and the source of their data.
_WITHOUT_DOWNLOAD = {"digits": "scikit-learn's copy", "synthetic": "made up", "text": "Python's standard library"}


def fetch(name: str, directory: Path, console: Console) -> Path:
    """Download the archive of the dataset ``name`` into ``directory`` if missing there. Return the archive's path.

    Raises:
        LiecbenchError: If the dataset has no archive, if the network or the disk fails, or if the server sends a
            different file.
    """
    if name in _WITHOUT_DOWNLOAD:
        raise LiecbenchError(f"{name} needs no download ({_WITHOUT_DOWNLOAD[name]})", "use it as it is")
    if name not in OFFICIAL:
        raise LiecbenchError(f"there is no dataset {name!r} to download", did_you_mean(name, OFFICIAL))
    return download(OFFICIAL[name][0], directory, console)


def download(archive: Archive, directory: Path, console: Console) -> Path:
    """Download ``archive`` into ``directory``, unless it is there already. Return the archive's path.

    A file of this name in ``directory`` whose size or SHA-256 is wrong is replaced.
    An interrupted download leaves ``NAME.partial``, from which the next call resumes.
    """
    target, partial = directory / archive.name, directory / f"{archive.name}.partial"
    with _disk(target):
        directory.mkdir(parents=True, exist_ok=True)
        if target.exists():
            wrong = mismatch(target, archive)
            if wrong is None:
                _say(console, f"{target} is there already: {decimal(archive.num_bytes)}, SHA-256 checked")
                return target
            _say(console, f"{wrong}; downloading it again")
    with _exclusive(partial), _opened(partial) as file:
        _Download(archive, partial, file, console).complete()
        with _disk(partial):
            wrong = mismatch(partial, archive)
            if wrong is not None:
                partial.unlink()
                raise LiecbenchError(f"{archive.url} gave something else: {wrong}; it was removed", _ELSEWHERE)
            partial.replace(target)
    _say(console, f"{target}: {decimal(archive.num_bytes)}, SHA-256 checked")
    return target


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _exclusive(partial: Path) -> Iterator[None]:
    """Hold a lock while this process downloads. Raises LiecbenchError if another process downloads the same file."""
    path = partial.with_suffix(".lock")
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise LiecbenchError(f"another process is downloading {partial}", "wait for it") from None
    except OSError:
        pass  # this file system has no locks; the checksum at the end detects a file that two processes mixed up
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()  # before the release, because afterwards the file could be another process's lock
        lock.release()


def _opened(partial: Path) -> io.FileIO:
    def opener(path: str, flags: int) -> int:
        return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)  # the opening of a pipe would wait

    with _disk(partial):
        file = open(partial, "ab", buffering=0, opener=opener)  # noqa: SIM115 - the caller closes it
        if stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
            file.close()
            raise OSError(errno.EINVAL, "a named pipe, not a file")
        return file


class _Download:
    """The download of an archive into ``file``, which is open for appending and may hold the archive's first bytes."""

    def __init__(self, archive: Archive, partial: Path, file: io.FileIO, console: Console) -> None:
        self._archive, self._partial, self._file, self._console = archive, partial, file, console
        self._num_bytes = file.seek(0, io.SEEK_END)

    def complete(self) -> None:
        """Append the missing bytes to ``file``. If the server sends only whole files, download all bytes again."""
        try:
            with self._network():
                if self._num_bytes > self._archive.num_bytes:
                    self._empty()
                if self._num_bytes < self._archive.num_bytes:
                    self._request()
        except (KeyboardInterrupt, SystemExit):
            _say(self._console, f"Interrupted; {self._kept()}")
            raise
        finally:
            if not self._num_bytes:
                self._partial.unlink(missing_ok=True)

    def _request(self) -> None:
        with Arrivals(self._archive.url, self._num_bytes) as arrivals:
            try:
                answer = arrivals.answer()
            except urllib.error.HTTPError as error:
                if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                    raise
                error.close()
                return  # the server has no more bytes; the caller checks whether the file is complete
            goes_on = answer.status == http.client.PARTIAL_CONTENT
            self._check_length(answer.length, self._num_bytes if goes_on else 0)
            if self._num_bytes and not goes_on:
                _say(self._console, f"The server sends whole files only; {decimal(self._num_bytes)} come again")
                self._empty()
            self._receive(arrivals.chunks())
        if self._num_bytes < self._archive.num_bytes:
            raise http.client.HTTPException("the server closed the connection")

    def _check_length(self, rest: int | None, have: int) -> None:
        """Raise LiecbenchError if the size of the server's file differs from that of the official archive.

        Args:
            rest: The number of bytes that the server is about to send; None if the server does not say.
            have: The number of bytes that earlier downloads left in ``file`` and that the server does not send again.
        """
        if rest is not None and have + rest != self._archive.num_bytes:
            offered = f"{self._archive.url} is a file of {have + rest} bytes, not of {self._archive.num_bytes}"
            raise LiecbenchError(offered, _ELSEWHERE)

    def _receive(self, chunks: Iterator[bytes]) -> None:
        columns = [TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()]
        with Progress(*columns, TimeRemainingColumn(), console=self._console) as progress:
            bar = progress.add_task(self._archive.name, total=self._archive.num_bytes, completed=self._num_bytes)
            # Stop after the first bytes beyond the official size, so that no server can fill the disk.
            for chunk in chunks:
                self._write(chunk)
                progress.update(bar, completed=self._num_bytes)
                if self._num_bytes > self._archive.num_bytes:
                    break

    def _write(self, chunk: bytes) -> None:
        with _disk(self._partial):
            rest = memoryview(chunk)
            while rest:
                written = self._file.write(rest)
                self._num_bytes += written
                rest = rest[written:]

    def _empty(self) -> None:
        with _disk(self._partial):
            self._num_bytes = self._file.truncate(0)

    def _kept(self) -> str:
        if not self._num_bytes:
            return "nothing had arrived"
        had = f"{decimal(self._num_bytes)} of {decimal(self._archive.num_bytes)}"
        return f"nothing was lost: {had} are in {self._partial}, and {_AGAIN}"

    @contextmanager
    def _network(self) -> Iterator[None]:
        url = self._archive.url
        try:
            yield
        except urllib.error.HTTPError as error:
            error.close()
            raise LiecbenchError(f"{url}: the server answers {error.code} {error.reason}", _ELSEWHERE) from None
        except (OSError, http.client.HTTPException) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            said = getattr(reason, "strerror", None) or reason
            raise LiecbenchError(f"{url}: {said}", f"check the network; {self._kept()}") from error


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = f"make room; {_AGAIN}" if full else "set LIECBENCH_DATA to a directory that can be written"
        raise LiecbenchError(f"{path}: {error.strerror or error}", remedy) from error
