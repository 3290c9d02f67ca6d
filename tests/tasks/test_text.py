from pathlib import Path

import pytest
import torch

from liecbench.errors import LiecbenchError
from liecbench.tasks.text import Text, standard_library


def corpus(directory: Path, text: str) -> str:
    path = directory / "corpus.txt"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_labels_are_the_next_characters_and_every_tenth_window_is_held_out(tmp_path: Path) -> None:
    text = "".join(chr(33 + i % 90) for i in range(10 * 7 + 1))
    train, test = Text(path=corpus(tmp_path, text), context=7).load()

    windows = [text[7 * i : 7 * i + 7] for i in range(10)]
    following = [text[7 * i + 1 : 7 * i + 8] for i in range(10)]
    assert ["".join(map(chr, row)) for row in train.inputs.tolist()] == windows[:9]
    assert ["".join(map(chr, row)) for row in train.labels.tolist()] == following[:9]
    assert ["".join(map(chr, row)) for row in test.inputs.tolist()] == windows[9:]
    assert ["".join(map(chr, row)) for row in test.labels.tolist()] == following[9:]


def test_characters_beyond_ascii_are_one_code(tmp_path: Path) -> None:
    train, _ = Text(path=corpus(tmp_path, "aé\U0001f600b" * 30), context=4).load()

    assert train.inputs[0].tolist() == [97, 26, 26, 98]
    assert train.inputs.dtype == torch.int64


def test_the_default_corpus_is_the_standard_library() -> None:
    names = {file.name for file in standard_library()}
    train, test = Text(characters=10_001, context=100).load()

    assert {"argparse.py", "os.py"} <= names
    assert not any(name.startswith("_sysconfigdata") for name in names)
    text = "".join(file.read_text(encoding="utf-8") for file in standard_library())
    assert "".join(map(chr, train.inputs[0].tolist())) == text[:100].replace("\xa0", "\x1a")
    assert (len(train), len(test)) == (90, 10)
    assert int(train.inputs.max()) < Text().num_classes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "not UTF-8 text"),
        (b"short", "gives 5 characters, 0 windows of 64; give at least 641"),
        (None, "No such file or directory"),
    ],
)
def test_a_corpus_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "corpus.txt"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(LiecbenchError, match=message) as raised:
        Text(path=str(path)).load()
    assert str(path) in str(raised.value)
