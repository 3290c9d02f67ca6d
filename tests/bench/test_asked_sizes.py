"""The sizes that ``bench link`` is asked for."""

import pytest

from liecbench.bench.asked_sizes import parse_sizes
from liecbench.errors import LiecbenchError


def test_sizes_are_bytes_or_have_units() -> None:
    assert parse_sizes(["65536", "64kB", "64KiB", "1.5MB", "4B", "1GiB"]) == [65536, 64000, 65536, 1500000, 4, 2**30]


@pytest.mark.parametrize("text", ["3", "2GiB", "64kb/s", "5.5B", "-8", "", "9" * 400, "9" * 400 + "kB"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(LiecbenchError, match=r"--size .*: no size; write one from 4B to 1GiB"):
        parse_sizes([text])
