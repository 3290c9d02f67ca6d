"""Find an image dataset on this machine, and read its files from the official archive without unpacking it."""

import hashlib
import os
import stat
import tarfile
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from liecbench.errors import LiecbenchError
from liecbench.host.user_cache import expanded, user_cache
from liecbench.tasks.official_archives import Archive, mismatch
from liecbench.untrusted import regular_files

_CHUNK_BYTES = 2**20
# The errors that tarfile and zipfile raise for files that they cannot read.
_UNREADABLE = (OSError, EOFError, RuntimeError, zlib.error, tarfile.TarError, zipfile.BadZipFile)


class MalformedError(ValueError):
    """Malformed contents of a file. A caller that knows the file's name turns this error into a LiecbenchError."""


def data_directory() -> Path:
    """Return the directory of datasets: ``$LIECBENCH_DATA`` or, if it is not set, ``liecbench`` in the user's cache."""
    own = os.environ.get("LIECBENCH_DATA")
    return expanded(own) if own else user_cache()


def remedy(dataset: str) -> str:
    """Return the advice for an error message about a missing or damaged dataset: how to download the dataset."""
    return f"`liecbench data fetch {dataset}` gets it into {data_directory()}, where it is found without a path"


class Files(ABC):
    """A reader of the files of a dataset. The name of a file is its path relative to the dataset's folder."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """Return the contents of a file. Raises LiecbenchError if the file is missing or not a plain file."""

    @abstractmethod
    def names(self, folder: str) -> list[str]:
        """Return the sorted names, without paths, of the files and folders directly in the dataset's ``folder``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A dataset found on this machine.

    Attributes:
        dataset: The dataset's name.
        archive: The official archive that holds the dataset.
        path: The path of this archive, or of a folder unpacked from it.
    """

    dataset: str
    archive: Archive
    path: Path

    def wrong(self, message: str) -> LiecbenchError:
        """Return an error with the dataset's path, ``message``, and the advice to download the dataset."""
        return LiecbenchError(f"{self.path}: {message}", remedy(self.dataset))

    def fingerprint(self, patterns: Sequence[str], *options: object) -> str:
        """Return a hash that changes if the dataset's name, path or files change, or if ``options`` do.

        A file counts as changed if its size or its modification time differs. An archive is one file. The files of an
        unpacked folder are those that match the globs ``patterns``.
        """
        found = [self.path]
        if self.path.is_dir():
            found = [path for pattern in patterns for path in sorted(self.path.glob(pattern))]
        stamps = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in found]
        return hashlib.sha256(repr((self.dataset, options, str(self.path), stamps)).encode()).hexdigest()[:16]

    @contextmanager
    def files(self) -> Iterator[Files]:
        """Open the dataset for the body of a ``with`` statement, and yield its files.

        Raises LiecbenchError if the dataset is an archive whose size or SHA-256 is not that of the official archive,
        or if the archive cannot be read. The files of an unpacked folder are not checked.
        """
        if self.path.is_dir():
            yield _Folder(self)
            return
        with self.readable():
            wrong = mismatch(self.path, self.archive)
        if wrong:
            raise LiecbenchError(wrong, remedy(self.dataset))
        if self.archive.name.endswith(".zip"):
            with self.readable():
                file = zipfile.ZipFile(self.path)
            with file:
                yield _Members(self, _zip_members(file))
        else:
            with self.readable():
                members = _tar_members(self.path)
            yield _Members(self, members)

    @contextmanager
    def readable(self, name: str = "the archive") -> Iterator[None]:
        """Turn reading errors in the ``with`` block into a LiecbenchError that says that ``name`` cannot be read."""
        try:
            yield
        except _UNREADABLE as error:
            raise self.wrong(f"{name} cannot be read: {error}") from error


def find(dataset: str, path: str | None, archives: Sequence[Archive]) -> Source:
    """Return the dataset at ``path``, or in the data directory if ``path`` is None.

    Args:
        dataset: The dataset's name, for messages.
        path: An archive, a folder unpacked from one, or a directory that holds an archive or such a folder.
        archives: The official archives of the dataset.

    Raises:
        LiecbenchError: If there is neither an archive nor an unpacked folder.
    """
    place = (data_directory() if path is None else expanded(path)).resolve()
    if place.is_file():
        return Source(dataset=dataset, archive=_like(dataset, place, archives), path=place)
    for archive in archives:
        if (place / archive.name).is_file():
            return Source(dataset=dataset, archive=archive, path=place / archive.name)
    for archive in archives:
        for folder in (place / archive.folder, place):
            if folder.name == archive.folder and folder.is_dir():
                return Source(dataset=dataset, archive=archive, path=folder)
    if not place.exists() and path is not None:
        raise LiecbenchError(f"there is no {place}", remedy(dataset))
    has = f"there is no {dataset} in {place}: {' or '.join(_names(archives))}"
    if (place / f"{archives[0].name}.partial").exists():
        has += "; the download has not ended"
    raise LiecbenchError(has, remedy(dataset))


def _like(dataset: str, place: Path, archives: Sequence[Archive]) -> Archive:
    """Return the official archive that has the name of the file ``place``.

    If no archive has this name, return the one that has the file's size. Raises LiecbenchError if no archive matches.
    """
    num_bytes = place.stat().st_size
    for archive in archives:
        if place.name == archive.name:
            return archive
    for archive in archives:
        if num_bytes == archive.num_bytes:
            return archive
    official = " or ".join(archive.name for archive in archives)
    raise LiecbenchError(f"{place} ({num_bytes} bytes) is not {official}", remedy(dataset))


def _names(archives: Sequence[Archive]) -> list[str]:
    return [archive.name for archive in archives] + [f"{archive.folder}/" for archive in archives]


class _Folder(Files):
    def __init__(self, source: Source) -> None:
        self._source = source

    def read(self, name: str) -> bytes:
        path = self._source.path / name
        try:
            return regular_files.read_bytes(path, self._source.archive.largest_file_bytes)
        except FileNotFoundError:
            raise self._source.wrong(f"{name} is missing") from None
        except OSError as error:
            raise self._source.wrong(f"{name} cannot be read: {error.strerror}") from error

    def names(self, folder: str) -> list[str]:
        with self._source.readable(folder):
            return sorted(path.name for path in (self._source.path / folder).iterdir())


# Maps the name of an archive's member to a function that returns the member's contents, or to None if the member is not
# a plain file.
_Contents = Mapping[str, Callable[[], bytes] | None]


class _Members(Files):
    def __init__(self, source: Source, contents: _Contents) -> None:
        self._source, self._contents = source, contents
        self._folders: dict[str, list[str]] = {}
        for name in sorted(contents):
            folder, _, last = name.rpartition("/")
            self._folders.setdefault(folder, []).append(last)

    def read(self, name: str) -> bytes:
        member = f"{self._source.archive.folder}/{name}"
        if member not in self._contents:
            raise self._source.wrong(f"{member} is missing")
        content = self._contents[member]
        if content is None:
            raise self._source.wrong(f"{member} is not a plain file; links are not followed")
        with self._source.readable(member):
            return content()

    def names(self, folder: str) -> list[str]:
        return self._folders.get(f"{self._source.archive.folder}/{folder}", [])


def _tar_members(path: Path) -> _Contents:
    # All members are read in one pass and kept in memory, because going back in a compressed stream would mean
    # decompressing it from its start again.
    members: dict[str, Callable[[], bytes] | None] = {}
    with tarfile.open(path, "r|gz", bufsize=_CHUNK_BYTES) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isreg() else None
            members[member.name] = None if file is None else partial(bytes, file.read())
    return members


def _zip_members(file: zipfile.ZipFile) -> _Contents:
    return {
        member.filename: None if stat.S_ISLNK(member.external_attr >> 16) else partial(file.read, member)
        for member in file.infolist()
        if not member.is_dir()
    }
