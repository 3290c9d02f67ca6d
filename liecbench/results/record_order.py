"""Check the order of a ledger's records.

The records of a cell are a start record, then one record per epoch, in order, and then an end record. These records
are one attempt. A later attempt has a start record of its own, and continues after the epochs of earlier attempts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from liecbench.compressors.wrong_values import requirement
from liecbench.config.cell_fields import num_epochs
from liecbench.config.cell_keys import contestant_key, setting_key
from liecbench.config.known_specs import alike_key, cell_id
from liecbench.config.known_specs import check_spec as check_fields
from liecbench.results.ranges import TOLERATED_ROUNDING
from liecbench.results.records import End, Epoch, Record, Start, Status
from liecbench.results.timing_record import Timing


@dataclass(slots=True, kw_only=True)
class _CellState:
    """The latest attempt of a cell: its number, the epochs done so far, and the status, None until the attempt ends."""

    spec: dict[str, Any]
    attempt: int
    num_epochs: int
    expected_epochs: int
    num_workers: int
    status: Status | None = None


class RecordOrder:
    """A checker of a ledger: it finds records that contradict earlier records, such as epoch 3 right after epoch 1.

    Pass all records to ``next``, in the order of the ledger.
    """

    def __init__(self) -> None:
        self._cells: dict[str, _CellState] = {}
        self._num_workers: dict[tuple[str, str], int] = {}  # by setting and contestant
        self._bursts: set[tuple[str, str, str, int, int]] = set()
        self._shares: dict[tuple[str, str], dict[str, float]] = {}  # of step kinds, by setting and contestant
        self._without_start: set[str] = set()

    def next(self, record: Record) -> str | None:
        """Check the next record. Return a message if the record contradicts earlier records or itself, else None.

        A message is, for example, ``epoch 3 of cell 1a2b after epoch 1``.
        """
        # A wrong epoch or attempt number is kept as if it were right, so that the records after it are not reported.
        try:
            self._check(record)
        except ValueError as error:
            return str(error)
        return None

    def _check(self, record: Record) -> None:
        match record:
            case Epoch() if record.cell not in self._without_start:
                self._check_epoch(record, self._begun(record))
            case Timing():
                self._check_timing(record)
            case End() if record.cell not in self._without_start:
                self._check_end(record, self._begun(record))
            case Start():
                self._check_start(record)

    def _check_start(self, record: Start) -> None:
        check_spec(record)
        found = self._cells.get(record.cell)
        latest = 0 if found is None else found.attempt
        self._without_start.discard(record.cell)
        self._cells[record.cell] = _CellState(
            spec=record.spec,
            attempt=record.attempt,
            num_epochs=record.epochs_done,
            expected_epochs=num_epochs(record.spec),
            num_workers=record.spec["workers"],
        )
        if record.spec["timing"] == "interleaved":
            place = setting_key(record.spec), contestant_key(record.spec)
            self._num_workers[place] = record.spec["workers"]
        if record.attempt != latest + 1:
            raise ValueError(f"attempt {record.attempt} of cell {record.cell} begins after attempt {latest}")
        known = 0 if found is None else found.num_epochs
        if record.epochs_done > known:
            raise ValueError(
                f"cell {record.cell} goes on after epoch {record.epochs_done}; epochs recorded before: {known}"
            )

    def _begun(self, record: Epoch | End) -> _CellState:
        """Return the state of the record's cell.

        Raises:
            ValueError: If the cell has no Start record, if its latest Start record is of another attempt than
                ``record``, or if the attempt of ``record`` has already ended.
        """
        found = self._cells.get(record.cell)
        if found is None:
            self._without_start.add(record.cell)
            raise ValueError(f"{_a(record)} of cell {record.cell}, which has no start")
        if found.attempt != record.attempt:
            text = f"{_a(record)} of attempt {record.attempt} of cell {record.cell}"
            raise ValueError(f"{text}, whose latest start is of attempt {found.attempt}")
        if found.status is not None:
            raise ValueError(f"{_a(record)} of cell {record.cell} after the end of its attempt {record.attempt}")
        return found

    def _check_epoch(self, record: Epoch, cell: _CellState) -> None:
        before, cell.num_epochs = cell.num_epochs, record.epoch
        if record.epoch != before + 1:
            place = f"epoch {before}" if before else "its start"
            raise ValueError(f"epoch {record.epoch} of cell {record.cell} after {place}")
        if record.epoch > cell.expected_epochs:
            text = f"epoch {record.epoch} of cell {record.cell}, whose spec has {cell.expected_epochs}"
            raise ValueError(text)
        _check_ranks("payload_bytes", record.payload_bytes, cell.num_workers)
        _check_length("messages", record.messages, cell.num_workers)
        if record.wire_bytes is not None:
            _check_ranks("wire_bytes", record.wire_bytes, cell.num_workers)
        _check_epoch_alone(record)

    def _check_end(self, record: End, cell: _CellState) -> None:
        cell.status = record.status
        if record.status == "completed":
            expected = 0 if cell.spec["timing"] == "interleaved" else cell.expected_epochs
            if cell.num_epochs != expected:
                text = f"cell {record.cell} completed with {cell.num_epochs} of {expected} epochs"
                raise ValueError(text)
            if record.error is not None:
                raise ValueError(f"cell {record.cell} completed, and its end has an error")

    def _check_timing(self, record: Timing) -> None:
        num_workers = self._num_workers.get((record.setting, record.contestant))
        if num_workers is None:
            raise ValueError(f"a burst of contestant {record.contestant}, of which no cell has a start")
        _check_ranks("payload_bytes", record.payload_bytes, num_workers)
        if record.wire_bytes is not None:
            _check_ranks("wire_bytes", record.wire_bytes, num_workers)
        place = (record.setting, record.contestant, record.kind, record.placement, record.round)
        if place in self._bursts:
            text = f"a second burst of contestant {record.contestant} in round {record.round}"
            raise ValueError(f"{text} of placement {record.placement}")
        self._bursts.add(place)
        _check_timing_alone(record)
        shares = self._shares.setdefault(place[:2], {})
        if shares.setdefault(record.kind, record.kind_share) != record.kind_share:
            known = shares[record.kind]
            raise ValueError(f"kind_share of {record.kind!r} is {record.kind_share:g}, and {known:g} in earlier bursts")
        if (total := sum(shares.values())) > 1 + TOLERATED_ROUNDING:
            raise ValueError(f"kind_share of contestant {record.contestant}'s step kinds sums to {total:g}")


def check_spec(record: Start) -> None:
    """Raise ValueError if the spec in a Start record is not valid, or if its hash is not the record's cell id."""
    alike = alike_key(record.spec)
    if cell_id(record.spec, alike) != record.cell:
        raise ValueError(f"cell {record.cell} has another spec: its id is not the hash of this one")
    try:
        check_fields(record.spec, alike)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"the spec of cell {record.cell}: {where}: {requirement(first)}") from None


def _check_epoch_alone(record: Epoch) -> None:
    """Raise ValueError if fields of an epoch contradict each other."""
    if record.timed_steps > record.steps:
        raise ValueError(f"{record.timed_steps} of {record.steps} steps are timed")
    if bool(record.timed_steps) != bool(record.train_seconds):
        raise ValueError(f"{record.timed_steps} timed steps took {record.train_seconds:g} s")
    if record.step_kinds is not None and sum(record.step_kinds.values()) != record.steps:
        raise ValueError(f"step_kinds has {sum(record.step_kinds.values())} steps, and the epoch {record.steps}")
    parts = (record.exposed_wire_seconds, record.exposed_compress_seconds, record.other_seconds)
    if None not in parts:
        total = record.compute_seconds + sum(part for part in parts if part is not None)
        if abs(total - record.train_seconds) > TOLERATED_ROUNDING * (total + record.train_seconds):
            raise ValueError(f"train_seconds is {record.train_seconds:g}, and its parts sum to {total:g}")


def _check_timing_alone(record: Timing) -> None:
    """Raise ValueError if fields of ``record`` contradict each other."""
    total = record.compute_seconds + record.wire_seconds + record.compress_seconds + record.other_seconds
    if abs(total - record.seconds) > TOLERATED_ROUNDING * (total + record.seconds):
        raise ValueError(f"seconds is {record.seconds:g}, and its parts sum to {total:g}")
    if record.step_quantiles != sorted(record.step_quantiles) or len(record.step_quantiles) > record.steps:
        raise ValueError(f"step_quantiles of {record.steps} steps has {len(record.step_quantiles)} numbers, or falls")


def _check_ranks(name: str, found: Mapping[str, Sequence[int]], num_workers: int) -> None:
    for way, ranks in found.items():
        if len(ranks) != num_workers:
            _check_length(f"{name}.{way}", ranks, num_workers)


def _check_length(name: str, ranks: Sequence[int], num_workers: int) -> None:
    if len(ranks) != num_workers:
        raise ValueError(f"{name} has length {len(ranks)}, and the cell has {num_workers} ranks")


def _a(record: Epoch | End) -> str:
    return "an end" if isinstance(record, End) else f"epoch {record.epoch}"
