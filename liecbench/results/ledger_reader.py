"""Read a ledger, either as records or line by line. A damaged line comes with the reason why it counts as damaged."""

import itertools
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from liecbench.errors import LiecbenchError
from liecbench.results.ledger import LEDGER_NAME
from liecbench.results.ledger_line import LineNumbers, check_unsealed, is_cut_off, unseal
from liecbench.results.record_json import check_first_schema, from_json
from liecbench.results.record_order import RecordOrder
from liecbench.results.records import Record
from liecbench.untrusted.regular_files import require_regular

NOT_RESULTS: Final = "give a results directory that `run` wrote"
_BLOCK_BYTES: Final = 2**20
# Lines of a thousand ranks have 100 kB. A file of zeros has one line, of any size.
_MOST_LINE_BYTES: Final = 2**24


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a ledger.

    Attributes:
        number: The position of the line in the file, from 1.
        text: The line, without its line end.
        record: The record in the line; None if the line cannot be read.
        damage: The reason why the line counts as damaged; None if it does not.
        is_after_gap: True if ``record`` was read, but the line number in ``text`` is wrong (see ``LineNumbers.next``),
            for example because the line before is lost.
        fits: False if the earlier records rule out ``record``. For example, ``record`` is an epoch of a cell that has
            not begun.
    """

    number: int
    text: bytes
    record: Record | None = None
    damage: str | None = None
    is_after_gap: bool = False
    fits: bool = True


def read(directory: Path) -> Iterator[Record]:
    """Yield every record of a results directory.

    Raises:
        LiecbenchError: If there is no ledger, or it is damaged.
    """
    yield from LedgerReader(directory).new_records()


class LedgerReader:
    """A reader that yields a ledger's new records; a last line without its line end is left for a later call."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / LEDGER_NAME
        self._directory = directory
        self._offset = 0
        self._num_lines = 0
        self._numbers = LineNumbers()
        self._order = RecordOrder()

    def new_records(self) -> Iterator[Record]:
        """Yield the records appended since the last call.

        Raises:
            LiecbenchError: If there is no ledger, or it is damaged. The message names the first damaged line.
        """
        for _, parsed in self._blocks():
            for line in parsed:
                if isinstance(line, Line):
                    command = f"liecbench verify {shlex.quote(str(self._directory))}"
                    remedy = f"`{command}` names all damage, and --salvage keeps the whole cells"
                    raise LiecbenchError(f"{self.path}:{line.number}: {line.damage}", remedy)
                yield line

    def new_lines(self) -> Iterator[Line]:
        """Yield the lines appended since the last call, damaged ones included.

        Raises:
            LiecbenchError: If there is no ledger.
        """
        for texts, parsed in self._blocks():
            first = self._num_lines - len(texts) + 1
            for number, text, line in zip(itertools.count(first), texts, parsed, strict=False):
                yield line if isinstance(line, Line) else Line(number=number, text=text, record=line)

    def _blocks(self) -> Iterator[tuple[list[bytes], list[Record | Line]]]:
        """Yield a pair (texts, parsed) for each block of lines that were not read yet.

        ``texts`` are the lines without their line ends. ``parsed`` has the record of each line, or a ``Line`` in place
        of the record if the line is damaged.
        """
        try:
            require_regular(self.path)
            with self.path.open("rb") as file:
                file.seek(self._offset)
                rest = b""
                while block := file.read(_BLOCK_BYTES):
                    *texts, rest = (rest + block).split(b"\n")
                    parsed = self._parse_block(texts)
                    self._offset += sum(map(len, texts)) + len(texts)
                    self._num_lines += len(texts)
                    yield texts, parsed
                    if len(rest) > _MOST_LINE_BYTES:
                        raise self._refused(f"it is longer than {_MOST_LINE_BYTES // 2**20} MiB, as no record is")
                if not is_cut_off(rest):
                    raise self._refused("it has no line end, and is no record that a crash cut off")
        except OSError as error:
            raise LiecbenchError(f"{self.path}: {error.strerror}", NOT_RESULTS) from None

    def _refused(self, damage: str) -> LiecbenchError:
        """Return an error that names the first unread line and its ``damage``, such as ``it has no line end``."""
        remedy = (
            f"restore the file, or keep only its {self._num_lines} lines before" if self._num_lines else NOT_RESULTS
        )
        return LiecbenchError(f"{self.path}:{self._num_lines + 1}: {damage}", remedy)

    def _parse_block(self, texts: list[bytes]) -> list[Record | Line]:
        # One check of all lines after the other takes two thirds of the time of all checks of one line after the other.
        records = self._accepted_records(texts)
        orders = [self._order.next(record) for record in records]
        first = self._num_lines + 1
        parsed: list[Record | Line] = [
            record if order is None else Line(number=number, text=text, record=record, damage=order, fits=False)
            for number, text, record, order in zip(itertools.count(first), texts, records, orders, strict=False)
        ]
        for index in range(len(records), len(texts)):
            line = self._parse(texts[index], first + index)
            parsed.append(line.record if line.damage is None and line.record else line)
        return parsed

    def _accepted_records(self, texts: list[bytes]) -> list[Record]:
        """Return the records of the lines ``texts`` that precede the first line that fails a check.

        A line fails if its line number or its checksum is missing or wrong, or if its record cannot be read.
        """
        records = []
        try:
            for text in texts[: self._numbers.accept(texts)]:
                records.append(from_json(text))
        except (ValueError, RecursionError):
            pass
        return records

    def _parse(self, text: bytes, line_number: int) -> Line:
        try:
            number = unseal(text)
            record = from_json(text)
            if number is None:
                check_unsealed(text)
                check_first_schema(text, record)
        except (ValueError, RecursionError) as error:
            self._numbers.skip()
            return Line(number=line_number, text=text, damage=str(error))
        missing = self._numbers.next(line_number if number is None else number, is_written=number is not None)
        order = self._order.next(record)
        return Line(
            number=line_number,
            text=text,
            record=record,
            damage=missing or order,
            is_after_gap=missing is not None,
            fits=order is None,
        )

    @property
    def has_partial_line(self) -> bool:
        """True if bytes without a line end follow the lines that were read: a write was interrupted."""
        return self.path.stat().st_size > self._offset
