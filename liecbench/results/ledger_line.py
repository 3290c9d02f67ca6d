"""The number and the checksum of a ledger's line, which show lines that were changed, lost, repeated or moved.

A line ends in ``, "number": 17, "checksum": "0badf00d"}``. The number is that of the line in the file, from 1. The
checksum is the CRC-32 of all bytes of the line before ``, "checksum"``. It detects accidents, such as a broken disk or
an edit by hand, but not deliberate forgery.
"""

import re
import zlib
from collections.abc import Sequence
from typing import Final

from liecbench.results.record_json import FIRST_SCHEMA, SCHEMA

_SEAL: Final = re.compile(rb', "number": ([1-9][0-9]{0,17}), "checksum": "([0-9a-f]{8})"\}\Z')
_LENGTH: Final = len(', "checksum": "00000000"}')
# Not a method's option of that name: it stands in a start's spec, before the brackets of the environment.
_LOST_SEAL: Final = re.compile(rb'"(?:number|checksum)": [^][{}]*\}\Z')
_BEGIN: Final = b'{"type": "'
_HEAD: Final = re.compile(rb'\{"type": "(?:start|epoch|timing|end)", "schema": ')
_FIRST: Final = re.compile(rf'"schema": ?{FIRST_SCHEMA}[,}}]'.encode())


def seal(text: str, number: int) -> str:
    """Return ``text`` with two fields added at the end: the line's number and checksum.

    Args:
        text: A record as a JSON object on one line, without a line end.
        number: The number of the line in the ledger, from 1.
    """
    numbered = f'{text[:-1]}, "number": {number}'
    return f'{numbered}, "checksum": "{zlib.crc32(numbered.encode()):08x}"}}'


def unseal(line: bytes) -> int | None:
    """Check the checksum of a ledger's line, and return the line number that stands before the checksum.

    Return None if the line does not end in a line number and a checksum.

    Raises:
        ValueError: If the checksum is wrong.
    """
    found = _SEAL.search(line, max(0, len(line) - _LENGTH - 40))
    if found is None:
        return None
    if zlib.crc32(line[:-_LENGTH]) != int(found[2], 16):
        raise ValueError("its checksum is wrong: the line was changed after it was written")
    return int(found[1])


def check_unsealed(line: bytes) -> None:
    """Check that a ledger's line, for which ``unseal`` returned None, is of the first schema.

    Lines of the first schema have no line number and no checksum. All lines of later schemas end in both.

    Raises:
        ValueError: If the line is of a later schema, or ends in a damaged line number or checksum.
    """
    if _LOST_SEAL.search(line) or not _FIRST.search(line, 0, 100):
        raise ValueError(f"its number or checksum is missing, with which every line of schema {SCHEMA} ends")


def is_cut_off(text: bytes) -> bool:
    """Return True if ``text``, the bytes after a ledger's last line end, can come from a write that a crash cut off.

    True if ``text`` is empty, or if it begins as a record does and contains no second record. Zero bytes at the end, as
    a file system may leave them, are ignored. If the result is False, the ledger is damaged: for example, its line
    ends were replaced, so that ``text`` is the whole ledger.
    """
    text = text.rstrip(b"\0")
    begins_as_record = text.startswith(_BEGIN) or _BEGIN.startswith(text)
    return begins_as_record and len(_HEAD.findall(text)) <= 1


def renumbered(line: bytes, number: int) -> bytes:
    """Return a ledger's line with the line number ``number`` and a new checksum.

    A line of the first schema has neither, and is returned unchanged.
    """
    found = _SEAL.search(line)
    return line if found is None else seal(f"{line[: found.start()].decode()}}}", number).encode()


class LineNumbers:
    """A check that the numbers of a ledger's lines rise by one from line to line."""

    def __init__(self) -> None:
        self._last: int | None = 0  # None after a line that cannot be read
        self._are_written = False

    def skip(self) -> None:
        """Pass over a line that cannot be read; the next line may then have any number."""
        self._last = None

    def accept(self, lines: Sequence[bytes]) -> int:
        """Accept lines up to the first line that is not in order. Return how many lines were accepted.

        A line is in order if its checksum is right and its number is 1 above that of the line before. The first line
        of the file must have number 1. After a call of ``skip``, the result is 0 until ``next`` has been called.

        Lines of the first schema have no number: this method does not accept them, but they may be valid. Therefore,
        pass the first line that was not accepted to ``unseal``, ``check_unsealed`` and ``next``.

        Args:
            lines: Lines that follow each other in the ledger, without line ends.
        """
        if self._last is None:
            return 0
        before = self._last
        for number, line in enumerate(lines, before + 1):
            if not line.endswith(b', "number": %d, "checksum": "%08x"}' % (number, zlib.crc32(line[:-_LENGTH]))):
                break
            self._last, self._are_written = number, True
        return self._last - before

    def next(self, number: int, *, is_written: bool) -> str | None:
        """Check the number of the next line. Return an error message if the number is wrong, else None.

        - Right after a call of ``skip``, any written number is right.
        - Otherwise, a written number must be 1 in the first line, and 1 above the previous ``number`` in later lines.
        - A line without a written number is right if no earlier line had one.

        Args:
            number: The number written in the line; if there is none, the line's position in the file, from 1.
            is_written: True if a number is written in the line. Only lines of the first schema have none.
        """
        before, self._last = self._last, number
        if not is_written:
            return "it has no number, and stands after lines that have one" if self._are_written else None
        self._are_written = True
        if before is None or number == before + 1:
            return None
        found = f"its number is {number}, and that of the line before {before}"
        if number <= before:
            return f"{found}: it is repeated or moved"
        lost = f"line {before + 1} is" if number == before + 2 else f"lines {before + 1} to {number - 1} are"
        return f"{found}: {lost} missing"
