"""Profiles in a results directory: ``profiles/SHA256.json``, each named after the hash of its bytes."""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from liecbench.errors import LiecbenchError
from liecbench.profiles.profile import Profile
from liecbench.profiles.profile_file import parse_profile
from liecbench.untrusted import regular_files

DIRECTORY: Final = "profiles"
SHA256_PATTERN: Final = "^[0-9a-f]{64}$"
_SHA256: Final = re.compile("[0-9a-f]{64}")
_MOST_BYTES: Final = 2**26
_KNOWN: Final[dict[str, Profile]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileFile:
    """The profile in a file.

    Attributes:
        name: The file's name as the user wrote it.
        content: The file's bytes.
        sha256: The SHA-256 of ``content``.
        profile: The profile.
    """

    name: str
    content: bytes = field(repr=False)
    sha256: str
    profile: Profile = field(repr=False)

    @classmethod
    def read(cls, path: Path, name: str) -> Self:
        """Return the profile in the file ``path``; ``name`` is the file's name as the user wrote it.

        Raises LiecbenchError if the file cannot be read, or is not a profile.
        """
        content = _read(path, name)
        sha256 = hashlib.sha256(content).hexdigest()
        profile = _KNOWN[sha256] = _parsed(content, name)
        return cls(name=name, content=content, sha256=sha256, profile=profile)

    @property
    def stored_name(self) -> str:
        """The path of the profile's copy in a results directory, relative to this directory."""
        return f"{DIRECTORY}/{self.sha256}.json"


def remember(sha256: str, profile: Profile) -> None:
    """Register a profile that another process has read or measured: ``known_profile(sha256)`` then returns it.

    ``sha256`` is the SHA-256 of the profile's file, in hexadecimal digits.
    """
    _KNOWN[sha256] = profile


def known_profile(sha256: str) -> Profile | None:
    """Return the profile with this SHA-256 if this process has read it or called ``remember`` with it, else None."""
    return _KNOWN.get(sha256)


def store(directory: Path, content: bytes) -> str:
    """Write the profile ``content`` to a results directory, unless it is there already; return its SHA-256.

    Raises:
        OSError: If the file cannot be written.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    path = stored_path(directory, sha256)
    if not path.is_file() or path.read_bytes() != content:
        path.parent.mkdir(exist_ok=True)
        regular_files.write_bytes(path, content)
    return sha256


def stored_path(directory: Path, sha256: str) -> Path:
    """Return the path of the profile with this SHA-256 in a results directory."""
    if not _SHA256.fullmatch(sha256):
        raise ValueError(f"{sha256!r} is not a SHA-256 in hexadecimal digits")
    return directory / DIRECTORY / f"{sha256}.json"


def load_stored(directory: Path, sha256: str) -> Profile:
    """Return the profile with this SHA-256 from a results directory.

    Raises LiecbenchError if it cannot be read, was changed after it was stored, or is not a profile.
    """
    path = stored_path(directory, sha256)
    content = _read(path, str(path))
    if hashlib.sha256(content).hexdigest() != sha256:
        raise LiecbenchError(f"{path}: the profile was changed after the run had copied it", "run the scenario again")
    profile = _KNOWN[sha256] = _parsed(content, str(path))
    return profile


def _read(path: Path, name: str) -> bytes:
    try:
        return regular_files.read_bytes(path, _MOST_BYTES)
    except OSError as error:
        raise LiecbenchError(f"{name}: {error.strerror}", "write a profile with `liecbench profile`") from None


def _parsed(content: bytes, name: str) -> Profile:
    try:
        return parse_profile(content.decode(), name)
    except UnicodeDecodeError:
        raise LiecbenchError(
            f"{name}: not UTF-8 text, so it is no profile", "write one with `liecbench profile`"
        ) from None
