import contextlib
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from liecbench.tasks.archives import MalformedError
from liecbench.tasks.pickled import read_dictionary

IMAGES = np.arange(24, dtype=np.uint8).reshape(4, 6)


def text(characters: bytes) -> bytes:
    """Return a str of Python 2: SHORT_BINSTRING or BINSTRING."""
    if len(characters) < 256:
        return b"U" + bytes([len(characters)]) + characters
    return b"T" + struct.pack("<i", len(characters)) + characters


def python_2_array(shape: tuple[int, int], content: bytes, *, fortran: bool = False, kind: bytes = b"u1") -> bytes:
    """Return an array as cPickle of Python 2 wrote it in protocol 2, opcode by opcode."""
    made = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87R"
    dtype = b"cnumpy\ndtype\n" + text(kind) + b"K\x00K\x01\x87R"
    order = b"(K\x03" + text(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    sizes = b"".join(b"M" + struct.pack("<H", size) for size in shape) + b"\x86"
    return made + b"(K\x01" + sizes + dtype + order + (b"\x88" if fortran else b"\x89") + text(content) + b"tb"


def python_2_pickle(array: bytes, labels: list[int]) -> bytes:
    listed = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    names = b"](" + text(b"a_s_000001.png") + text(b"\xe9.png") + b"e"
    items = text(b"batch_label") + text(b"training batch 1 of 5") + text(b"data") + array
    return b"\x80\x02}(" + items + text(b"labels") + listed + text(b"filenames") + names + b"u."


@pytest.mark.parametrize("fortran", [False, True])
def test_a_pickle_of_python_2_is_read(fortran: bool) -> None:
    content = IMAGES.tobytes("F" if fortran else "C")
    read = read_dictionary(python_2_pickle(python_2_array((4, 6), content, fortran=fortran), [3, 1, 4, 1]))

    np.testing.assert_array_equal(IMAGES, read["data"])
    assert read["labels"] == [3, 1, 4, 1]
    assert read["filenames"] == [b"a_s_000001.png", b"\xe9.png"]


def test_pythons_own_unpickler_agrees_with_the_handmade_pickle() -> None:
    content = python_2_pickle(python_2_array((4, 6), IMAGES.tobytes()), [3, 1, 4, 1])
    expected = pickle.loads(content, encoding="bytes")

    np.testing.assert_array_equal(expected[b"data"], read_dictionary(content)["data"])


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("images", [IMAGES, np.asfortranarray(IMAGES)])
@pytest.mark.parametrize("key", ["data", b"data"])
def test_a_pickle_of_python_3_is_read(protocol: int, images: Any, key: object) -> None:
    read = read_dictionary(pickle.dumps({key: images, b"fine_labels": [7, 8]}, protocol=protocol))

    np.testing.assert_array_equal(IMAGES, read["data"])
    assert read["fine_labels"] == [7, 8]


class Runs:
    """An object whose unpickling runs a command."""

    def __init__(self, call: Any, *arguments: Any) -> None:
        self._call, self._arguments = call, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self._call, self._arguments


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_would_run_something_is_refused_and_runs_nothing(tmp_path: Path, protocol: int) -> None:
    command = f"touch {tmp_path / 'ran'}"
    content = pickle.dumps({b"data": Runs(os.system, command), b"labels": [1]}, protocol=protocol)

    with pytest.raises(MalformedError, match=r"names (posix|nt)\.system, which no data needs; nothing of it was run"):
        read_dictionary(content)
    assert not list(tmp_path.iterdir())
    pickle.loads(content)
    assert list(tmp_path.iterdir()), "the pickle is one that runs"


@pytest.mark.parametrize(
    "content",
    [
        b"cbuiltins\neval\n(U\x0bprint('ran')tR.",
        b"c__builtin__\n__import__\n(U\x02ostR.",
        b"(U\x04truei" + b"os\nsystem\n.",
        b"cnumpy.core.multiarray\nscalar\n.",
        b"cnumpy\nload\n.",
        b"cliecbench.tasks.pickled\nread_dictionary\n.",
    ],
)
def test_other_names_are_refused(content: bytes) -> None:
    with pytest.raises(MalformedError, match="which no data needs"):
        read_dictionary(content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x02}",
        b"no pickle at all",
        b"\x80\x02Ppersistent\n.",
        b"\x80\x02\x82\x01.",
        b"\x80\x02cnumpy\nndarray\n}U\x01aK\x01sb.",
        b"\x80\x02cnumpy\nndarray\n)\x81.",
        b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00utf-8\x86R.",
        b"\x80\x02c_codecs\nencode\nK\x01\x85R.",
        b"\x80\x02cnumpy\nndarray\n.",
        pickle.dumps([1, 2], protocol=2),
        pickle.dumps({b"data": IMAGES}, protocol=2)[:-20],
        pickle.dumps({b"data": IMAGES.astype(np.int16)}, protocol=2),
        pickle.dumps({b"data": IMAGES.astype(object)}, protocol=2),
        pickle.dumps({b"data": np.dtype(np.uint8)}, protocol=2),
        python_2_pickle(python_2_array((4, 7), IMAGES.tobytes()), [1]),
        python_2_pickle(python_2_array((4, 6), IMAGES.tobytes(), kind=b"i1"), [1]),
    ],
)
def test_other_pickles_are_refused_with_the_reason(content: bytes) -> None:
    with pytest.raises(MalformedError, match=r"^it (is no pickle|holds) "):
        read_dictionary(content)


def test_every_truncation_and_many_mutations_are_refused_or_read() -> None:
    whole = python_2_pickle(python_2_array((4, 6), IMAGES.tobytes()), [3, 1, 4, 1])
    random = np.random.default_rng(0)
    for _ in range(3000):
        mutated = bytearray(whole)
        for place in random.integers(len(whole), size=random.integers(1, 4)):
            mutated[place] = random.integers(256)
        with contextlib.suppress(MalformedError):
            read_dictionary(bytes(mutated))
    for length in range(len(whole)):
        with pytest.raises(MalformedError):
            read_dictionary(whole[:length])
