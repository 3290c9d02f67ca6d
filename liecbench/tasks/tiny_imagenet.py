"""The dataset TinyImageNet, read from its official archive."""

import io
import re
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray
from PIL import Image
from pydantic.dataclasses import dataclass

from liecbench.tasks.archives import Files, Source, find
from liecbench.tasks.base import Dataset, Examples
from liecbench.tasks.images import CIFAR10, TINY_IMAGENET, ChannelStatistics, image_examples
from liecbench.tasks.official_archives import OFFICIAL, Archive
from liecbench.tasks.prepared import Labelled, Parts, prepared

_SIZE = 64
_NUM_CLASSES = 200
_WNID = re.compile(r"n\d{8}")
_WNIDS = "wnids.txt"
_ANNOTATIONS = "val/val_annotations.txt"
# Files and folders whose size and time show that an unpacked dataset has changed. Every rank looks at these few,
# because there are 110,000 files in all.
_STAMPED = (_WNIDS, _ANNOTATIONS, "val/images", "train/*/images")

# The names of image files, and the label of each.
_Listed = list[tuple[str, int]]


@dataclass(frozen=True)
class TinyImageNet(Dataset):
    """Tiny ImageNet (Stanford CS231n): images of 200 classes, 100,000 to train on and 10,000 held out.

    A class's label is the position of its WordNet id in the sorted list of all ids.

    Attributes:
        path: Path of the official archive, or of a directory that holds the archive or its unpacked folder. None means
            the data directory.
        augment: Whether to crop and mirror training images at random.
        size: The side in pixels to which the images of 64×64 pixels are scaled (bilinear, antialiased).
        normalisation: The dataset whose channel means and standard deviations normalise the images: ``cifar10`` or
            ``tiny_imagenet``. The LIEC-SGD authors' runs use ``tiny_imagenet``.
    """

    path: str | None = None
    augment: bool = True
    size: Annotated[int, Ge(8), Le(64)] = 32
    normalisation: Literal["cifar10", "tiny_imagenet"] = "cifar10"

    num_classes: ClassVar[int] = _NUM_CLASSES

    def load(self) -> tuple[Examples, Examples]:
        """Return training and test images, uint8 ``[n, 3, size, size]``. ``Examples.batch`` normalises them."""
        statistics = CIFAR10 if self.normalisation == "cifar10" else TINY_IMAGENET
        return load_tiny_imagenet(self.path, self.augment, self.size, OFFICIAL["tiny_imagenet"], statistics)


def load_tiny_imagenet(
    path: str | None,
    augment: bool,
    size: int,
    archives: Sequence[Archive],
    statistics: ChannelStatistics = CIFAR10,
) -> tuple[Examples, Examples]:
    """Return training and validation images, scaled to ``size`` × ``size`` pixels.

    Args:
        path: Path of an archive, or of a directory that holds an archive or its unpacked folder. None means the data
            directory.
        augment: Whether to crop and mirror training images at random.
        size: The side of an image in pixels.
        archives: The official archives of the dataset.
        statistics: The mean and standard deviation of each channel, by which images are normalised.

    Raises:
        LiecbenchError: If no archive is found.
    """
    source = find("tiny_imagenet", path, archives)
    stem = f"tiny_imagenet-{source.fingerprint(_STAMPED, size)}"
    return image_examples(prepared(stem, (3, size, size), lambda: _read(source, size)), augment, statistics)


def _read(source: Source, size: int) -> Parts:
    with source.files() as files:
        labels = _labels(source, files)
        train, test = _train(source, files, labels), _validation(source, files, labels)
        return _decoded(source, files, train, size), _decoded(source, files, test, size)


def _labels(source: Source, files: Files) -> dict[str, int]:
    wnids = sorted(_lines(files, _WNIDS))
    wrong = next((wnid for wnid in wnids if not _WNID.fullmatch(wnid)), None)
    if wrong is not None:
        raise source.wrong(f"{_WNIDS}: {wrong!r} is no WordNet id, an n and eight digits")
    if len(wnids) != _NUM_CLASSES or len(set(wnids)) != _NUM_CLASSES:
        raise source.wrong(f"{_WNIDS} has {len(set(wnids))} different of {len(wnids)} ids, not {_NUM_CLASSES}")
    return {wnid: label for label, wnid in enumerate(wnids)}


def _lines(files: Files, name: str) -> list[str]:
    # latin1 decodes any byte; the callers refuse lines that make no sense.
    return [line for line in files.read(name).decode("latin1").splitlines() if line]


def _train(source: Source, files: Files, labels: dict[str, int]) -> _Listed:
    listed = []
    for wnid, label in labels.items():
        folder = f"train/{wnid}/images"
        names = [name for name in files.names(folder) if name.endswith(".JPEG")]
        if not names:
            raise source.wrong(f"{folder} is missing or holds no .JPEG")
        listed += [(f"{folder}/{name}", label) for name in names]
    return listed


def _validation(source: Source, files: Files, labels: dict[str, int]) -> _Listed:
    listed = []
    for number, line in enumerate(_lines(files, _ANNOTATIONS), start=1):
        name, wnid = (*line.split("\t"), "")[:2]
        if "/" in name or wnid not in labels:
            raise source.wrong(f"{_ANNOTATIONS}: line {number} names no file and a class of {_WNIDS}: {line[:80]!r}")
        listed.append((f"val/images/{name}", labels[wnid]))
    if not listed:
        raise source.wrong(f"{_ANNOTATIONS} is empty")
    return listed


def _decoded(source: Source, files: Files, listed: _Listed, size: int) -> Labelled:
    # One thread decodes all images, because Pillow decodes under the GIL, and a pool of threads was slower.
    images = np.empty((len(listed), 3, size, size), np.uint8)
    for image, (name, _) in zip(images, listed, strict=True):
        content = files.read(name)
        try:
            image[:] = _pixels(content, size)
        except Exception as error:
            raise source.wrong(f"{name}: {error}") from error
    return Labelled(images, np.array([label for _, label in listed], np.int64))


def _pixels(content: bytes, size: int) -> NDArray[np.uint8]:
    """Decode a JPEG image, scale it to ``size`` × ``size`` pixels, and return the pixels, uint8 ``[3, size, size]``.

    Raises ValueError if the JPEG does not have 64×64 pixels, or one of Pillow's errors if it cannot be decoded.
    """
    with Image.open(io.BytesIO(content), formats=["JPEG"]) as image:
        # Check this before anything is decoded, because a header may claim gigapixels.
        if image.size != (_SIZE, _SIZE):
            raise ValueError(f"an image of {image.width}×{image.height} pixels, not {_SIZE}×{_SIZE}")
        colours = image.convert("RGB")
    if size != _SIZE:
        colours = colours.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(colours).transpose(2, 0, 1)
