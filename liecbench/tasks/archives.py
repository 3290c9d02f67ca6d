"""Archives of image datasets on this machine: find one, and read its files without unpacking."""

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
from liecbench.tasks.official_archives import Archive, mismatch

_CHUNK_BYTES = 2**20
# What tarfile and zipfile raise for files that they cannot make sense of.
_UNREADABLE = (OSError, EOFError, RuntimeError, zlib.error, tarfile.TarError, zipfile.BadZipFile)


class MalformedError(ValueError):
    """File contents that are not what they should be; callers that know the file name raise a LiecbenchError."""


def data_directory() -> Path:
    """Return where archives are stored: ``$LIECBENCH_DATA``, or ``liecbench`` in the user's cache."""
    own = os.environ.get("LIECBENCH_DATA")
    if own:
        return _expanded(own)
    return _expanded(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "liecbench"


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise LiecbenchError(f"{path}: there is no such home directory", "give a path without ~") from None


def remedy(dataset: str) -> str:
    """Return what to do about a dataset that is missing or damaged."""
    return f"`liecbench data fetch {dataset}` gets it into {data_directory()}, where it is found without a path"


class Files(ABC):
    """The files of a dataset, by their names within its folder."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """Return the contents of a file. Raises LiecbenchError if it is missing or no plain file."""

    @abstractmethod
    def names(self, folder: str) -> list[str]:
        """Return the names of the entries of a folder, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A dataset that was found; ``path`` is the archive, or the folder that was unpacked from it."""

    dataset: str
    archive: Archive
    path: Path

    def wrong(self, message: str) -> LiecbenchError:
        """Return an error with the path and the remedy."""
        return LiecbenchError(f"{self.path}: {message}", remedy(self.dataset))

    def fingerprint(self, patterns: Sequence[str], *options: object) -> str:
        """Return a hash of the dataset, its ``options``, its path, and the size and time of its files.

        Those are the archive, or in a folder all files that match the glob ``patterns``.
        """
        found = [self.path]
        if self.path.is_dir():
            found = [path for pattern in patterns for path in sorted(self.path.glob(pattern))]
        stamps = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in found]
        return hashlib.sha256(repr((self.dataset, options, str(self.path), stamps)).encode()).hexdigest()[:16]

    @contextmanager
    def files(self) -> Iterator[Files]:
        """Open its files. Raises LiecbenchError if an archive is not the official one; a folder is not checked."""
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
        """Turn failures to read into LiecbenchErrors."""
        try:
            yield
        except _UNREADABLE as error:
            raise self.wrong(f"{name} cannot be read: {error}") from error


def find(dataset: str, path: str | None, archives: Sequence[Archive]) -> Source:
    """Find a dataset at ``path``, or in the data directory: one of ``archives``, or a folder unpacked from one.

    Raises:
        LiecbenchError: There is neither.
    """
    place = (data_directory() if path is None else _expanded(path)).resolve()
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
    """Return the archive that a file should be, by its name or else by its size."""
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
        if not path.exists():
            raise self._source.wrong(f"{name} is missing")
        with self._source.readable(name):
            return path.read_bytes()

    def names(self, folder: str) -> list[str]:
        with self._source.readable(folder):
            return sorted(path.name for path in (self._source.path / folder).iterdir())


# By the name of a member, the function that reads it; None if it is no plain file.
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
    # In one pass, kept in memory: going back in a compressed stream means starting it anew.
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
