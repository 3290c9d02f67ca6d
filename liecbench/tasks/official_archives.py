"""The official archives of image datasets: their file names, URLs, sizes and checksums."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

_CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """An official archive of an image dataset: a single file, such as ``cifar-10-binary.tar.gz``.

    Attributes:
        name: The archive's file name.
        url: The address from which the archive is downloaded.
        num_bytes: The archive's size.
        sha256: The archive's checksum, in hexadecimal.
        folder: The name of the folder in the archive that holds the files.
        largest_file_bytes: The largest permitted size of a file in the unpacked folder. Reading a larger file fails.
    """

    name: str
    url: str
    num_bytes: int
    sha256: str
    folder: str
    largest_file_bytes: int = 2**28


_TORONTO = "https://www.cs.toronto.edu/~kriz/"
# The archives that hold each dataset. The first of them is the one that is downloaded.
OFFICIAL: dict[str, tuple[Archive, ...]] = {
    "cifar10": (
        Archive(
            name="cifar-10-binary.tar.gz",
            url=f"{_TORONTO}cifar-10-binary.tar.gz",
            num_bytes=170052171,
            sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            folder="cifar-10-batches-bin",
            largest_file_bytes=2**25,
        ),
        Archive(
            name="cifar-10-python.tar.gz",
            url=f"{_TORONTO}cifar-10-python.tar.gz",
            num_bytes=170498071,
            sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
            folder="cifar-10-batches-py",
            largest_file_bytes=2**25,
        ),
    ),
    "cifar100": (
        Archive(
            name="cifar-100-binary.tar.gz",
            url=f"{_TORONTO}cifar-100-binary.tar.gz",
            num_bytes=168513733,
            sha256="58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
            folder="cifar-100-binary",
        ),
        Archive(
            name="cifar-100-python.tar.gz",
            url=f"{_TORONTO}cifar-100-python.tar.gz",
            num_bytes=169001437,
            sha256="85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
            folder="cifar-100-python",
        ),
    ),
    "tiny_imagenet": (
        Archive(
            name="tiny-imagenet-200.zip",
            url="https://cs231n.stanford.edu/tiny-imagenet-200.zip",
            num_bytes=248100043,
            sha256="6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821",
            folder="tiny-imagenet-200",
            largest_file_bytes=2**20,
        ),
    ),
}


def mismatch(path: Path, archive: Archive) -> str | None:
    """Return a message if the file's size or SHA-256 differs from the official archive's, else None."""
    num_bytes = path.stat().st_size
    if num_bytes != archive.num_bytes:
        return f"{path} has {num_bytes} bytes; the official {archive.name} has {archive.num_bytes}"
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    if digest.hexdigest() != archive.sha256:
        return f"{path} has the SHA-256 {digest.hexdigest()}; the official {archive.name} has {archive.sha256}"
    return None
