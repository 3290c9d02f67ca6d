"""The sizes of messages that the option ``--size`` of ``liecbench bench link`` asks for."""

from collections.abc import Sequence
from typing import Final

from liecbench.errors import LiecbenchError
from liecbench.network.quantity import SIZE

_FEWEST_BYTES: Final = 4
_MOST_BYTES: Final = 2**30


def parse_sizes(texts: Sequence[str]) -> list[int]:
    """Parse the values of ``--size``, such as ``65536``, ``64kB`` (64 000) or ``64KiB``, and return the sizes in bytes.

    Raises:
        LiecbenchError: If a value is not a whole number of bytes from 4 B to 1 GiB.
    """
    return [_parsed(text) for text in texts]


def _parsed(text: str) -> int:
    size = float(text) if text.isascii() and text.isdecimal() else SIZE.parse(text)
    if size is None or size != int(min(size, _MOST_BYTES)) or size < _FEWEST_BYTES:
        raise LiecbenchError(f"--size {text}: no size", "write one from 4B to 1GiB, such as 65536, 64kB or 64KiB")
    return int(size)
