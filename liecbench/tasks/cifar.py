"""The datasets CIFAR-10 and CIFAR-100, read from the official archives in their binary or their Python form."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass as plain_dataclass
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from liecbench.tasks.archives import Files, MalformedError, Source, find
from liecbench.tasks.base import Dataset, Examples
from liecbench.tasks.images import image_examples
from liecbench.tasks.official_archives import OFFICIAL, Archive
from liecbench.tasks.pickled import read_dictionary
from liecbench.tasks.prepared import Labelled, Parts, prepared

_SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32

# Images of shape [n, 3072] and a label for each.
_Records = tuple[NDArray[np.uint8], list[int]]


@dataclass(frozen=True)
class _Cifar(Dataset):
    """The base class of CIFAR-10 and CIFAR-100.

    Attributes:
        path: Path of an official archive, or of a directory that holds an archive or its unpacked folder. None means
            the data directory.
        augment: Whether to crop and mirror training images at random.
    """

    path: str | None = None
    augment: bool = True

    name: ClassVar[str]
    num_classes: ClassVar[int]

    def load(self) -> tuple[Examples, Examples]:
        """Return training and test images, uint8 of shape ``[n, 3, 32, 32]``. ``Examples.batch`` normalises them."""
        return load_cifar(self.name, self.path, self.augment, self.num_classes, OFFICIAL[self.name])


@dataclass(frozen=True)
class Cifar10(_Cifar):
    """CIFAR-10 (Krizhevsky 2009): 32×32 colour images of ten classes, 50,000 to train on and 10,000 held out."""

    name = "cifar10"
    num_classes = 10


@dataclass(frozen=True)
class Cifar100(_Cifar):
    """CIFAR-100 (Krizhevsky 2009): 32×32 colour images of 100 fine classes, 50,000 to train on and 10,000 held out."""

    name = "cifar100"
    num_classes = 100


def load_cifar(
    dataset: str, path: str | None, augment: bool, num_classes: int, archives: Sequence[Archive]
) -> tuple[Examples, Examples]:
    """Return training and test images of the first of ``archives`` that is found.

    Args:
        dataset: The dataset's name.
        path: Path of an archive, or of a directory that holds an archive or its unpacked folder. None means the data
            directory.
        augment: Whether to crop and mirror training images at random.
        num_classes: The number of classes.
        archives: The official archives of the dataset.

    Raises:
        LiecbenchError: If no archive is found.
    """
    source = find(dataset, path, archives)
    layout = _LAYOUTS[source.archive.folder]
    stem = f"{dataset}-{source.fingerprint([*layout.train, *layout.test])}"
    return image_examples(prepared(stem, _SHAPE, lambda: _read(source, layout, num_classes)), augment)


def _binary(content: bytes, label_bytes: int) -> _Records:
    """Parse records: each has ``label_bytes`` labels of one byte, and then the pixels of an image.

    Return the images and, for each image, its last label. Of two labels, the last is the fine one.
    """
    num_bytes = label_bytes + _PIXELS
    if not content or len(content) % num_bytes:
        raise MalformedError(f"{len(content)} bytes are no whole number of records of {num_bytes}")
    table = np.frombuffer(content, np.uint8).reshape(-1, num_bytes)
    return table[:, label_bytes:], table[:, label_bytes - 1].tolist()


def _pickled(content: bytes, key: str) -> _Records:
    values = read_dictionary(content)
    images, labels = values.get("data"), values.get(key)
    if not isinstance(images, np.ndarray) or images.ndim != 2 or images.shape[1] != _PIXELS or not len(images):
        raise MalformedError(f"'data' is no array of {_PIXELS} pixels per image")
    if not isinstance(labels, list) or len(labels) != len(images) or {type(label) for label in labels} != {int}:
        raise MalformedError(f"{key!r} is no list of a whole number for each of {len(images)} images")
    return images, labels


@plain_dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    train: tuple[str, ...]
    test: tuple[str, ...]
    records: Callable[[bytes], _Records]


_LAYOUTS = {
    "cifar-10-batches-bin": _Layout(
        train=tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
        test=("test_batch.bin",),
        records=partial(_binary, label_bytes=1),
    ),
    "cifar-10-batches-py": _Layout(
        train=tuple(f"data_batch_{number}" for number in range(1, 6)),
        test=("test_batch",),
        records=partial(_pickled, key="labels"),
    ),
    "cifar-100-binary": _Layout(train=("train.bin",), test=("test.bin",), records=partial(_binary, label_bytes=2)),
    "cifar-100-python": _Layout(train=("train",), test=("test",), records=partial(_pickled, key="fine_labels")),
}


def _read(source: Source, layout: _Layout, num_classes: int) -> Parts:
    with source.files() as files:
        train, test = (
            [_part(source, files, name, layout, num_classes) for name in names] for names in (layout.train, layout.test)
        )
    return _joined(train), _joined(test)


def _part(source: Source, files: Files, name: str, layout: _Layout, num_classes: int) -> Labelled:
    try:
        images, labels = layout.records(files.read(name))
    except MalformedError as error:
        raise source.wrong(f"{name}: {error}") from error
    for record, label in enumerate(labels):
        if not 0 <= label < num_classes:
            message = f"{name}: record {record}, counted from 0, has the label {label}"
            raise source.wrong(f"{message}; there are {num_classes}, from 0")
    return Labelled(images.reshape(-1, *_SHAPE), np.array(labels, np.int64))


def _joined(parts: list[Labelled]) -> Labelled:
    images, labels = ([getattr(part, name) for part in parts] for name in ("images", "labels"))
    return Labelled(np.concatenate(images), np.concatenate(labels))
