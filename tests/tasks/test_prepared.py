import multiprocessing
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from liecbench.errors import LiecbenchError
from liecbench.tasks.prepared import Labelled, Parts, prepared

SHAPE = (3, 5, 4)


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("LIECBENCH_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "prepared"


def parts() -> Parts:
    def part(num_images: int) -> Labelled:
        images = np.random.default_rng(num_images).integers(0, 256, (num_images, *SHAPE), np.uint8)
        return Labelled(images, np.arange(num_images))

    return part(20), part(7)


def nothing() -> Parts:
    raise AssertionError("everything is there already")


def assert_equal(found: Parts, expected: Parts) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.images, other.images, strict=True)
        np.testing.assert_array_equal(one.labels, other.labels, strict=True)


def test_prepared_images_are_mapped_and_not_read_again(data: Path) -> None:
    assert_equal(prepared("things-1", SHAPE, parts), parts())
    again = prepared("things-1", SHAPE, nothing)

    assert_equal(again, parts())
    assert all(isinstance(array, np.memmap) for part in again for array in (part.images, part.labels))
    assert len(list(data.glob("things-1-*.npy"))) == 4
    assert not list(data.glob("*.partial"))


def test_writing_to_mapped_images_changes_no_file() -> None:
    train, _ = prepared("things-1", SHAPE, parts)
    train.images[:] = 0

    assert_equal(prepared("things-1", SHAPE, nothing), parts())


def test_another_stem_is_another_thing() -> None:
    prepared("things-1", SHAPE, parts)
    with pytest.raises(AssertionError, match="already"):
        prepared("things-2", SHAPE, nothing)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def lengthen(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\0")


def empty(file: Path) -> None:
    file.write_bytes(b"")


def scramble(file: Path) -> None:
    file.write_bytes(b"PK\x03\x04" + file.read_bytes()[4:])


def reshape(file: Path) -> None:
    np.save(file, np.load(file)[:-1])


def retype(file: Path) -> None:
    np.save(file, np.load(file).astype(np.int16))


def pickle(file: Path) -> None:
    np.save(file, np.array([object]), allow_pickle=True)


@pytest.mark.parametrize("part", ["train", "train-labels", "test", "test-labels"])
@pytest.mark.parametrize("damage", [cut, lengthen, empty, scramble, reshape, retype, pickle, Path.unlink])
def test_a_damaged_file_is_written_again(data: Path, part: str, damage: Callable[[Path], None]) -> None:
    prepared("things-1", SHAPE, parts)
    (file,) = data.glob(f"things-1-*-{part}.npy")
    damage(file)

    assert_equal(prepared("things-1", SHAPE, parts), parts())
    assert_equal(prepared("things-1", SHAPE, nothing), parts())


def test_images_of_another_size_are_written_again() -> None:
    prepared("things-1", (3, 4, 5), lambda: (Labelled(np.ones((2, 3, 4, 5), np.uint8), np.arange(2)),) * 2)

    assert_equal(prepared("things-1", SHAPE, parts), parts())


def test_partial_files_of_killed_processes_are_removed(data: Path) -> None:
    data.mkdir(parents=True)
    (data / "things-1-1-train.npy.0123.partial").write_bytes(b"half")
    prepared("things-1", SHAPE, parts)

    assert not list(data.glob("*.partial"))


def test_a_failed_reading_leaves_nothing(data: Path) -> None:
    def fails() -> Parts:
        raise LiecbenchError("damaged")

    with pytest.raises(LiecbenchError, match="damaged"):
        prepared("things-1", SHAPE, fails)
    assert [path.name for path in data.iterdir()] == [".lock"]


def test_a_data_directory_that_cannot_be_written_is_named(data: Path) -> None:
    data.parent.write_text("a file where a directory should be")

    with pytest.raises(LiecbenchError, match=f"kept in {data}: Not a directory; set LIECBENCH_DATA to a directory"):
        prepared("things-1", SHAPE, parts)


def _prepare(log: Path) -> None:
    def noted() -> Parts:
        with log.open("a") as file:
            file.write("read\n")
        return parts()

    for number in range(20):
        assert_equal(prepared(f"things-{number}", SHAPE, noted), parts())


def test_only_one_of_several_processes_reads(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_prepare, args=(tmp_path / "log",)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0] * 4
    assert (tmp_path / "log").read_text() == "read\n" * 20
