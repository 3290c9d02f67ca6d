"""Small archives in the official formats, and their entries for a table of official archives."""

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from liecbench.tasks.official_archives import Archive


def entry(path: Path, folder: str, *, url: str = "") -> Archive:
    """Return the entry that makes this archive an official one."""
    content = path.read_bytes()
    return Archive(
        name=path.name, url=url, num_bytes=len(content), sha256=hashlib.sha256(content).hexdigest(), folder=folder
    )


def make_tar(path: Path, members: Mapping[str, bytes | tarfile.TarInfo]) -> None:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
            else:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))


def make_zip(path: Path, members: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)


def unpack(directory: Path, members: Mapping[str, bytes]) -> None:
    for name, content in members.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def in_folder(folder: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {f"{folder}/{name}": content for name, content in files.items()}


def pixels(seed: int, num_images: int) -> NDArray[np.uint8]:
    """Return images of 3 × 32 × 32, flat."""
    return np.random.default_rng(seed).integers(0, 256, size=(num_images, 3072), dtype=np.uint8)


def tiny_imagenet(*, images_per_class: int) -> dict[str, bytes]:
    """Return the files of Tiny ImageNet's archive with one grey picture in the place of all images, ten held out."""
    out = io.BytesIO()
    Image.new("RGB", (64, 64), (128, 128, 128)).save(out, "JPEG")
    wnids = [f"n{number:08}" for number in range(200)]
    lines = [f"val_{number}.JPEG\t{wnids[number]}\t0\t0\t63\t63\n" for number in range(10)]
    return {
        "wnids.txt": "\n".join(wnids).encode(),
        "val/val_annotations.txt": "".join(lines).encode(),
        **{f"val/images/val_{number}.JPEG": out.getvalue() for number in range(10)},
        **{f"train/{w}/images/{w}_{n}.JPEG": out.getvalue() for w in wnids for n in range(images_per_class)},
    }
