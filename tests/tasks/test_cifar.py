import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from liecbench.errors import LiecbenchError
from liecbench.tasks.base import Examples
from liecbench.tasks.cifar import Cifar10, Cifar100, load_cifar
from liecbench.tasks.official_archives import Archive
from tests.tasks.made_archives import entry, in_folder, make_tar, pixels, unpack

BATCHES = [f"data_batch_{number}" for number in range(1, 6)]
# Of each file in the order of training then testing, how many images: no two alike.
SIZES = {
    10: dict(zip([*BATCHES, "test_batch"], (20, 21, 22, 23, 24, 15), strict=True)),
    100: {"train": 40, "test": 30},
}


def labels_of(num_classes: int, name: str) -> list[int]:
    """Return labels in which every label occurs, the last one first."""
    return [(num_classes - 1 - index * 7) % num_classes for index in range(SIZES[num_classes][name])]


def images_of(num_classes: int, name: str) -> NDArray[np.uint8]:
    number = list(SIZES[num_classes]).index(name)
    return pixels(number, SIZES[num_classes][name])


def binary(num_classes: int) -> dict[str, bytes]:
    files = {}
    for name in SIZES[num_classes]:
        coarse = [] if num_classes == 10 else [bytes([255])]
        records = [
            b"".join([*coarse, bytes([label]), image.tobytes()])
            for label, image in zip(labels_of(num_classes, name), images_of(num_classes, name), strict=True)
        ]
        files[f"{name}.bin"] = b"".join(records)
    return files


def pickled(num_classes: int) -> dict[str, bytes]:
    key = b"labels" if num_classes == 10 else b"fine_labels"
    return {
        name: pickle.dumps(
            {
                b"data": images_of(num_classes, name),
                b"coarse_labels": [99] * count,
                key: labels_of(num_classes, name),
                b"filenames": [b"x.png"] * count,
            },
            protocol=2,
        )
        for name, count in SIZES[num_classes].items()
    }


FORMS = {
    "cifar-10-batches-bin": (10, binary),
    "cifar-10-batches-py": (10, pickled),
    "cifar-100-binary": (100, binary),
    "cifar-100-python": (100, pickled),
}
CLASSES = {10: Cifar10, 100: Cifar100}


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("LIECBENCH_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def loaded(path: Path, num_classes: int, archives: list[Archive]) -> tuple[Examples, Examples]:
    return load_cifar(f"cifar{num_classes}", str(path), True, num_classes, archives)


def assert_right(parts: tuple[Examples, Examples], num_classes: int) -> None:
    names = list(SIZES[num_classes])
    for part, expected in zip(parts, (names[:-1], names[-1:]), strict=True):
        images = np.concatenate([images_of(num_classes, name) for name in expected])
        assert part.inputs.dtype == torch.uint8
        np.testing.assert_array_equal(images.reshape(-1, 3, 32, 32), part.inputs.numpy())
        assert [label for name in expected for label in labels_of(num_classes, name)] == part.labels.tolist()


@pytest.mark.parametrize("folder", FORMS)
def test_archives_and_folders_of_both_forms_are_read(folder: str, tmp_path: Path) -> None:
    num_classes, make = FORMS[folder]
    members = in_folder(folder, make(num_classes))
    make_tar(tmp_path / "images.tar.gz", dict(sorted(members.items(), reverse=True)))
    archive = entry(tmp_path / "images.tar.gz", folder)
    assert_right(loaded(tmp_path / "images.tar.gz", num_classes, [archive]), num_classes)

    unpack(tmp_path / "unpacked", members)
    for path in (tmp_path / "unpacked", tmp_path / "unpacked" / folder):
        assert_right(CLASSES[num_classes](path=str(path)).load(), num_classes)


def test_the_data_directory_is_where_it_is_looked_for(data: Path) -> None:
    with pytest.raises(LiecbenchError, match=r"no cifar100 in .*`liecbench data fetch cifar100`"):
        Cifar100().load()
    unpack(data, in_folder("cifar-100-binary", binary(100)))
    assert_right(Cifar100().load(), 100)


def test_an_archive_is_read_once_and_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "images.tar.gz"
    make_tar(path, in_folder("cifar-100-binary", binary(100)))
    archive = entry(path, "cifar-100-binary")
    loaded(path, 100, [archive])
    content, before = path.read_bytes(), path.stat()
    path.write_bytes(b"\0" * len(content))
    os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))
    assert_right(loaded(path, 100, [archive]), 100)

    os.utime(path, ns=(1, 1))
    with pytest.raises(LiecbenchError, match="SHA-256"):
        loaded(path, 100, [archive])


def test_an_archive_that_is_not_the_official_is_refused(tmp_path: Path) -> None:
    make_tar(tmp_path / "cifar-10-binary.tar.gz", in_folder("cifar-10-batches-bin", binary(10)))

    with pytest.raises(LiecbenchError, match=r"bytes; the official .* has 170052171; `liecbench data fetch cifar10`"):
        Cifar10(path=str(tmp_path)).load()


def refused(tmp_path: Path, folder: str, name: str, content: bytes | None) -> str:
    """Return the error for a folder in which a file has other contents, or is missing."""
    num_classes, make = FORMS[folder]
    files = make(num_classes)
    if content is None:
        del files[name]
    else:
        files[name] = content
    unpack(tmp_path / "unpacked" / folder, files)
    with pytest.raises(LiecbenchError) as caught:
        CLASSES[num_classes](path=str(tmp_path / "unpacked" / folder)).load()
    message = str(caught.value)
    assert str(tmp_path / "unpacked" / folder) in message
    assert f"`liecbench data fetch cifar{num_classes}`" in message
    return message


@pytest.mark.parametrize("folder", FORMS)
def test_a_missing_file_is_named(folder: str, tmp_path: Path) -> None:
    num_classes, make = FORMS[folder]
    name = list(make(num_classes))[-1]

    assert f"{name} is missing" in refused(tmp_path, folder, name, None)


def test_wrong_record_sizes_are_refused(tmp_path: Path) -> None:
    message = refused(tmp_path, "cifar-10-batches-bin", "data_batch_3.bin", binary(10)["data_batch_3.bin"][:-1])
    assert f"data_batch_3.bin: {22 * 3073 - 1} bytes are no whole number of records of 3073" in message
    message = refused(tmp_path, "cifar-100-binary", "test.bin", b"")
    assert "test.bin: 0 bytes are no whole number of records of 3074" in message


def test_a_label_out_of_range_is_named_with_file_and_record(tmp_path: Path) -> None:
    content = bytearray(binary(10)["data_batch_2.bin"])
    content[7 * 3073] = 10
    message = refused(tmp_path, "cifar-10-batches-bin", "data_batch_2.bin", bytes(content))
    assert "data_batch_2.bin: record 7, counted from 0, has the label 10; there are 10, from 0" in message

    content = bytearray(binary(100)["test.bin"])
    content[29 * 3074 + 1] = 100
    assert "test.bin: record 29, " in refused(tmp_path, "cifar-100-binary", "test.bin", bytes(content))

    for label in (-1, 100, 2**80):
        values = {b"data": pixels(0, 2), b"fine_labels": [0, label]}
        message = refused(tmp_path, "cifar-100-python", "train", pickle.dumps(values, protocol=2))
        assert f"train: record 1, counted from 0, has the label {label}" in message


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "'data' is no array of 3072 pixels"),
        ({b"data": pixels(0, 2)[:, 1:], b"labels": [0, 1]}, "'data' is no array"),
        ({b"data": pixels(0, 2).reshape(2, 3, 1024), b"labels": [0, 1]}, "'data' is no array"),
        ({b"data": pixels(0, 0), b"labels": []}, "'data' is no array"),
        ({b"data": pixels(0, 2)}, "'labels' is no list of a whole number for each of 2"),
        ({b"data": pixels(0, 2), b"labels": [0]}, "'labels' is no list"),
        ({b"data": pixels(0, 2), b"labels": [0, True]}, "'labels' is no list"),
        ({b"data": pixels(0, 2), b"labels": [0, 1.0]}, "'labels' is no list"),
        ({b"data": pixels(0, 2), b"labels": pixels(0, 2)[0, :2]}, "'labels' is no list"),
        (
            {b"data": pixels(0, 2).astype(np.int32), b"labels": [0, 1]},
            "it holds an array that is not whole or not of uint8",
        ),
    ],
)
def test_wrong_values_in_a_pickle_are_refused(values: object, expected: str, tmp_path: Path) -> None:
    content = pickle.dumps(values, protocol=3)

    assert f"test_batch: {expected}" in refused(tmp_path, "cifar-10-batches-py", "test_batch", content)


class Malicious:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (self.command,)


def test_a_malicious_pickle_runs_nothing(tmp_path: Path) -> None:
    content = pickle.dumps({b"data": Malicious(f"touch {tmp_path}/ran"), b"labels": [0]}, protocol=2)
    message = refused(tmp_path, "cifar-10-batches-py", "data_batch_1", content)

    assert "data_batch_1: it names posix.system, which no data needs; nothing of it was run" in message
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("augment", [True, False])
def test_batches_are_what_a_network_takes(augment: bool, data: Path) -> None:
    unpack(data, in_folder("cifar-10-batches-bin", binary(10)))
    train, test = Cifar10(augment=augment).load()
    for part, deterministic in ((train, not augment), (test, True)):
        one, labels = part.batch(torch.arange(15), np.random.default_rng(0))
        other, _ = part.batch(torch.arange(15), np.random.default_rng(1))
        assert (one.shape, one.dtype, labels.dtype) == ((15, 3, 32, 32), torch.float32, torch.int64)
        assert torch.equal(one, other) == deterministic
