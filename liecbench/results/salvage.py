"""Verify all of a ledger, and copy the cells whose records are all there and undamaged to a new results directory."""

import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from liecbench.config.cell import Cell
from liecbench.config.cell_keys import contestant_key
from liecbench.errors import LiecbenchError, NothingToCompareError
from liecbench.results.asked_cells import CELLS_NAME
from liecbench.results.cells import replay
from liecbench.results.directory import SCENARIO_NAME
from liecbench.results.ledger import LEDGER_NAME
from liecbench.results.ledger_line import renumbered, unseal
from liecbench.results.ledger_reader import LedgerReader, Line, read
from liecbench.results.record_order import check_spec
from liecbench.results.records import End, Start
from liecbench.results.timing_record import Timing


@dataclass(slots=True, kw_only=True)
class _CellLines:
    """A summary of one cell's lines in a ledger. Lines are numbered from 1.

    A cell's lines are its first valid Start record and its later records. If a timing session times the cell, its lines
    include the records of its timed steps (bursts), wherever they are in the ledger.

    Attributes:
        spec: The cell's fields, as ``Cell.spec`` returns them.
        start: The line number of the cell's first valid Start record.
        first: The number of the cell's first line.
        last: The number of the cell's last line.
        status: The status of the latest attempt to train the cell.
        fits: False if a record of the cell is out of place, such as epoch 3 directly after epoch 1.
    """

    spec: dict[str, Any]
    start: int
    first: int
    last: int
    status: str = "unfinished"
    fits: bool = True

    @property
    def is_interleaved(self) -> bool:
        """True if the cell is timed but not trained: a timing session times some of the cell's steps."""
        return bool(self.spec["timing"] == "interleaved")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The undamaged and the damaged parts of a ledger.

    A cell is whole if none of its records is missing, damaged or out of place.

    Attributes:
        directory: The results directory.
        lines: All complete lines, damaged or not.
        kept: The lines with records of the whole cells, and with records of these cells' timed steps.
        states: The status of each whole cell, by cell id. Trainings that provide the losses of timed cells are cells
            of their own.
        trainings: The ids of the whole cells that are such trainings.
        damaged: A description of each cell that is not whole, by cell id.
        num_unnumbered: The number of lines of the first schema, which have neither number nor checksum.
        has_partial_line: True if an interrupted write left an incomplete line at the end, which is no damage.
    """

    directory: Path
    lines: Sequence[Line] = field(repr=False)
    kept: Sequence[Line] = field(repr=False)
    states: Mapping[str, str]
    trainings: frozenset[str]
    damaged: Mapping[str, str]
    num_unnumbered: int
    has_partial_line: bool

    @classmethod
    def of(cls, directory: Path) -> "Verification":
        """Check all lines of a results directory's ledger, and return the undamaged and the damaged parts.

        Raises:
            LiecbenchError: If the directory has no ledger.
        """
        reader = LedgerReader(directory)
        lines = list(reader.new_lines())
        cells = _cells(lines)
        whole = _whole(cells, _gaps(lines))
        kept = _kept(lines, cells, whole)
        return cls(
            directory=directory,
            lines=lines,
            kept=kept,
            states={name: cell.status for name, cell in replay(line.record for line in kept if line.record).items()},
            trainings=frozenset(name for name in whole if cells[name].spec["timing"] == "trajectory"),
            damaged={name: Cell.from_spec(cell.spec).describe() for name, cell in cells.items() if name not in whole},
            num_unnumbered=sum(line.record is not None and unseal(line.text) is None for line in lines),
            has_partial_line=reader.has_partial_line,
        )

    @property
    def path(self) -> Path:
        """The ledger's path."""
        return self.directory / LEDGER_NAME

    @property
    def whole(self) -> frozenset[str]:
        """The ids of the cells whose records are all there and undamaged."""
        return frozenset(self.states)

    @property
    def damage(self) -> list[Line]:
        """The damaged lines.

        A line is damaged if the checksum or the line number in the line fails its check, if the record cannot be read,
        or if the record is out of place.
        """
        return [line for line in self.lines if line.damage is not None]

    def salvage(self) -> Path:
        """Copy the whole cells to a new results directory, and return the new directory's path.

        A cell is whole if none of its records is missing, damaged or out of place. For the directory ``results``, the
        new directory is ``results-salvaged``, in the same folder. The lines of the new ledger are numbered from 1. The
        scenario and the list of asked cells are copied, too; checkpoints and logs are not.

        Raises:
            NothingToCompareError: If no cell is whole.
            LiecbenchError: If the new directory exists or cannot be written.
        """
        if not self.whole:
            raise NothingToCompareError(f"{self.directory}: no cell is whole", "run the scenario again")
        target = self.directory.resolve().with_name(f"{self.directory.resolve().name}-salvaged")
        try:
            target.mkdir()
            for name in (SCENARIO_NAME, CELLS_NAME):
                if (self.directory / name).is_file():
                    shutil.copyfile(self.directory / name, target / name)
            text = b"".join(renumbered(line.text, number) + b"\n" for number, line in enumerate(self.kept, start=1))
            (target / LEDGER_NAME).write_bytes(text)
        except OSError as error:
            raise LiecbenchError(f"{target}: {error.strerror}", "move it away, or make room for it") from None
        for _ in read(target):
            pass  # raises if what was written is not whole
        return target


def _cells(lines: Sequence[Line]) -> dict[str, _CellLines]:
    """Return a ``_CellLines`` for each cell that has a valid Start record, by the cell's id."""
    cells: dict[str, _CellLines] = {}
    bursts: dict[str, list[Line]] = {}
    for line in lines:
        record = line.record
        if isinstance(record, Timing):
            bursts.setdefault(record.contestant, []).append(line)
        elif isinstance(record, Start):
            first, fits = line.number, line.fits
            if record.cell in cells:
                first, fits = cells[record.cell].first, fits and cells[record.cell].fits
            if _has_valid_spec(record):
                cells[record.cell] = _CellLines(spec=record.spec, start=first, first=first, last=line.number, fits=fits)
        elif record is not None and record.cell in cells:
            cell = cells[record.cell]
            cell.last, cell.fits = line.number, cell.fits and line.fits
            if isinstance(record, End):
                cell.status = record.status
    for cell in cells.values():
        own = bursts.get(contestant_key(cell.spec), []) if cell.is_interleaved else []
        cell.first = min([cell.first, *(line.number for line in own)])
        cell.last = max([cell.last, *(line.number for line in own)])
        cell.fits = cell.fits and all(line.fits for line in own)
    return cells


def _has_valid_spec(record: Start) -> bool:
    try:
        check_spec(record)
    except ValueError:
        return False
    return True


def _gaps(lines: Sequence[Line]) -> list[int]:
    """Return the positions in the file, from 1, of the lines that are unreadable or directly follow missing lines."""
    return [line.number for line in lines if line.record is None or line.is_after_gap]


def _whole(cells: Mapping[str, _CellLines], gaps: Sequence[int]) -> set[str]:
    """Return the ids of the whole cells, whose records are all there and undamaged.

    No record of a whole cell is out of place. Some kinds of cells must fulfil more:

    - Trained, but not completed: no line of the ledger between the cell's first and last line is missing or unreadable.
    - Timed, but not trained: no line of the ledger between the cell's first and last line is missing or unreadable.
      Of the cells that share the cell's bursts (timed steps), the one that started first must be whole as well.

    Args:
        cells: A summary of each cell's lines, by cell id.
        gaps: The numbers of the lines that are unreadable or directly follow missing lines.
    """
    whole = set()
    firsts: dict[str, str] = {}  # by contestant
    for name, cell in sorted(cells.items(), key=lambda item: item[1].start):
        # The number of records is known only for these cells, so that a missing record puts another one out of place.
        # Other cells may have lost some if any line is missing.
        is_counted = cell.status == "completed" and not cell.is_interleaved
        if cell.fits and (is_counted or not any(cell.first < gap <= cell.last for gap in gaps)):
            whole.add(name)
        if cell.is_interleaved:
            firsts.setdefault(contestant_key(cell.spec), name)
    return {
        name for name in whole if not cells[name].is_interleaved or firsts[contestant_key(cells[name].spec)] in whole
    }


def _kept(lines: Sequence[Line], cells: Mapping[str, _CellLines], whole: Collection[str]) -> list[Line]:
    """Return the ledger's lines with the records of the cells in ``whole``.

    The records of the bursts (timed steps) of these cells are included. Lines whose record is unreadable or out of
    place are left out. Lines without a line number (first schema) come first. Otherwise, the lines keep the order of
    the ledger.

    Args:
        lines: All lines of the ledger.
        cells: A summary of each cell's lines, by cell id.
        whole: The ids of the cells to keep.
    """
    contestants = {contestant_key(cells[name].spec) for name in whole if cells[name].is_interleaved}
    kept = [
        line
        for line in lines
        if line.record is not None
        and line.fits
        and (line.record.contestant in contestants if isinstance(line.record, Timing) else line.record.cell in whole)
    ]
    return sorted(kept, key=lambda line: unseal(line.text) is not None)
