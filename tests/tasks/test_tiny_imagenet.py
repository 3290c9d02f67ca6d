import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from liecbench.errors import LiecbenchError
from liecbench.tasks.base import Examples
from liecbench.tasks.tiny_imagenet import TinyImageNet, load_tiny_imagenet
from tests.tasks.made_archives import entry, in_folder, make_zip, unpack

FOLDER = "tiny-imagenet-200"
# As in the archive: not sorted.
WNIDS = [f"n{(number * 77_777_777 + 12_345_678) % 10**8:08}" for number in range(200)]
MANY = 3


def picture(seed: int, mode: str = "RGB", size: tuple[int, int] = (64, 64)) -> bytes:
    """A smooth random picture as a JPEG."""
    drawn = np.random.default_rng(seed).integers(0, 256, (6, 6, len(mode)), np.uint8)
    out = io.BytesIO()
    Image.fromarray(drawn.squeeze()).resize(size, Image.Resampling.BICUBIC).save(out, "JPEG")
    return out.getvalue()


def tiny() -> dict[str, bytes]:
    """Two training images of the first class, of three classes many, of all others one; some grey."""
    files = {"wnids.txt": "\n".join(WNIDS).encode(), "words.txt": b"n00001740\tentity\n"}
    for number, wnid in enumerate(WNIDS):
        for image in range(MANY if number in (5, 6, 7) else 1):
            name = f"train/{wnid}/images/{wnid}_{image}.JPEG"
            files[name] = picture(1000 * number + image, mode="L" if number % 50 == 0 else "RGB")
        files[f"train/{wnid}/{wnid}_boxes.txt"] = b"0\t1\t2\t3\n"
    lines = [f"val_{number}.JPEG\t{WNIDS[number * 3]}\t0\t32\t44\t62\n" for number in range(30)]
    files["val/val_annotations.txt"] = "".join(lines).encode()
    files |= {f"val/images/val_{number}.JPEG": picture(500_000 + number) for number in range(30)}
    return files


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return tiny()


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("LIECBENCH_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def expected_image(content: bytes, size: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    with Image.open(io.BytesIO(content)) as image:
        rgb = image.convert("RGB")
    return np.moveaxis(np.array(rgb.resize((size, size), Image.Resampling.BILINEAR)), 2, 0)


def assert_right(parts: tuple[Examples, Examples], files: dict[str, bytes], size: int) -> None:
    train, test = parts
    paths = [name for name in files if name.endswith(".JPEG") and name.startswith("train")]
    ordered = sorted(paths)  # by WordNet id, then by name
    labels = {wnid: label for label, wnid in enumerate(sorted(WNIDS))}
    assert train.labels.tolist() == [labels[path.split("/")[1]] for path in ordered]
    assert test.labels.tolist() == [labels[WNIDS[number * 3]] for number in range(30)]
    for inputs, names in (
        (train.inputs, ordered),
        (test.inputs, [f"val/images/val_{number}.JPEG" for number in range(30)]),
    ):
        assert (inputs.dtype, inputs.shape) == (torch.uint8, (len(names), 3, size, size))
        for image, name in zip(inputs.numpy(), names, strict=True):
            np.testing.assert_array_equal(expected_image(files[name], size), image)


@pytest.mark.parametrize("size", [8, 32, 64])
def test_the_archive_is_read(size: int, tmp_path: Path, files: dict[str, bytes]) -> None:
    path = tmp_path / "images.zip"
    make_zip(path, in_folder(FOLDER, dict(reversed(files.items()))))
    archive = entry(path, FOLDER)

    assert_right(load_tiny_imagenet(str(path), True, size, [archive]), files, size)


def test_the_unpacked_folder_is_read(tmp_path: Path, files: dict[str, bytes]) -> None:
    unpack(tmp_path, in_folder(FOLDER, files))
    for path in (tmp_path, tmp_path / FOLDER):
        assert_right(TinyImageNet(path=str(path)).load(), files, 32)


def test_the_size_is_part_of_what_is_prepared(tmp_path: Path, files: dict[str, bytes]) -> None:
    unpack(tmp_path, in_folder(FOLDER, files))
    shapes = [tuple(TinyImageNet(path=str(tmp_path), size=size).load()[0].inputs.shape[1:]) for size in (32, 16, 32)]

    assert shapes == [(3, 32, 32), (3, 16, 16), (3, 32, 32)]


@pytest.mark.parametrize(
    ("options", "black"),
    [
        ({}, [-0.491 / 0.247, -0.482 / 0.243, -0.447 / 0.262]),
        ({"normalisation": "tiny_imagenet"}, [-0.4169 / 0.2862, -0.3874 / 0.2728, -0.3430 / 0.2751]),
    ],
)
def test_images_are_normalised_by_the_chosen_statistics(
    options: dict[str, Any], black: list[float], tmp_path: Path, files: dict[str, bytes]
) -> None:
    out = io.BytesIO()
    Image.new("RGB", (64, 64)).save(out, "JPEG")
    unpack(tmp_path, in_folder(FOLDER, {**files, "val/images/val_0.JPEG": out.getvalue()}))
    _, test = TinyImageNet(path=str(tmp_path), **options).load()
    inputs, _ = test.batch(torch.arange(1), np.random.default_rng(0))

    torch.testing.assert_close(inputs[0, :, 3, 5], torch.tensor(black), rtol=1e-5, atol=1e-5)


def test_scaling_is_antialiased(tmp_path: Path, files: dict[str, bytes]) -> None:
    """Stripes finer than the new pixels become grey, not whatever pixel was hit."""
    out = io.BytesIO()
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    Image.fromarray(stripes).save(out, "JPEG", quality=100)
    unpack(tmp_path, in_folder(FOLDER, {**files, "val/images/val_0.JPEG": out.getvalue()}))
    _, test = TinyImageNet(path=str(tmp_path)).load()

    assert int((test.inputs[0, :, :, 1:-1].int() - 127).abs().max()) <= 3


def test_a_new_class_folder_is_noticed(tmp_path: Path, files: dict[str, bytes]) -> None:
    unpack(tmp_path, in_folder(FOLDER, files))
    before, _ = TinyImageNet(path=str(tmp_path)).load()
    unpack(tmp_path, in_folder(FOLDER, {f"train/{WNIDS[0]}/images/{WNIDS[0]}_77.JPEG": picture(1)}))
    after, _ = TinyImageNet(path=str(tmp_path)).load()

    assert len(after) == len(before) + 1


def huge(side: int) -> bytes:
    """A JPEG whose header claims ``side`` × ``side`` pixels."""
    content = bytearray(picture(1))
    frame = content.index(b"\xff\xc0")
    content[frame + 5 : frame + 9] = struct.pack(">HH", side, side)
    return bytes(content)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("wnids.txt", None, "wnids.txt is missing"),
        ("wnids.txt", b"", "wnids.txt has 0 different of 0 ids, not 200"),
        ("wnids.txt", "\n".join(WNIDS[1:]).encode(), "wnids.txt has 199 different of 199"),
        ("wnids.txt", "\n".join([*WNIDS[1:], WNIDS[1]]).encode(), "wnids.txt has 199 different of 200"),
        ("wnids.txt", "\n".join([*WNIDS[1:], "../../etc"]).encode(), "wnids.txt: '../../etc' is no WordNet id"),
        ("wnids.txt", b"\xff\x00" * 9, "is no WordNet id"),
        ("wnids.txt", "\n".join([*WNIDS[1:], "n99999999"]).encode(), "train/n99999999/images"),
        ("val/val_annotations.txt", None, "val/val_annotations.txt is missing"),
        ("val/val_annotations.txt", b"\n", "val/val_annotations.txt is empty"),
        ("val/val_annotations.txt", f"a\t{WNIDS[0]}\nb\tn99999999\n".encode(), "line 2 names no file and a class"),
        ("val/val_annotations.txt", b"only-a-name\n", "line 1 names no file and a class"),
        ("val/val_annotations.txt", f"../a\t{WNIDS[0]}\n".encode(), "line 1 names no file and a class"),
        ("val/val_annotations.txt", f"a.JPEG\t{WNIDS[0]}\n".encode(), "val/images/a.JPEG is missing"),
        ("val/images/val_7.JPEG", None, "val/images/val_7.JPEG is missing"),
        ("val/images/val_7.JPEG", picture(1, size=(64, 63)), "val_7.JPEG: an image of 64×63 pixels, not 64×64"),
        ("val/images/val_7.JPEG", huge(65), "val_7.JPEG: an image of 65×65 pixels"),
        ("val/images/val_7.JPEG", huge(12_000), "val_7.JPEG: "),
        ("val/images/val_7.JPEG", huge(65_500), "val_7.JPEG: "),
        ("val/images/val_7.JPEG", b"", "val_7.JPEG: cannot identify"),
        ("val/images/val_7.JPEG", b"GIF89a", "val_7.JPEG: cannot identify"),
        ("val/images/val_7.JPEG", picture(1)[:700], "val_7.JPEG: image file is truncated"),
    ],
)
@pytest.mark.parametrize("kind", ["zip", "folder"])
def test_a_mistake_in_the_archive_is_reported_with_its_file(
    kind: str, name: str, content: bytes | None, expected: str, tmp_path: Path, files: dict[str, bytes]
) -> None:
    changed = {other: held for other, held in files.items() if other != name or content is not None}
    changed |= {} if content is None else {name: content}
    path = tmp_path / "images.zip" if kind == "zip" else tmp_path / FOLDER
    make_zip(tmp_path / "images.zip", in_folder(FOLDER, changed))
    if kind == "folder":
        unpack(path, changed)

    with pytest.raises(LiecbenchError) as caught:
        load_tiny_imagenet(str(path), True, 32, [entry(tmp_path / "images.zip", FOLDER)])
    assert str(path) in str(caught.value)
    assert expected in str(caught.value)
    assert "`liecbench data fetch tiny_imagenet`" in str(caught.value)


@pytest.mark.parametrize("size", [7, 65])
def test_sizes_have_bounds(size: int) -> None:
    with pytest.raises(ValidationError, match="size"):
        TinyImageNet(size=size)
