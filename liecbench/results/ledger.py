"""The truth of a run: Start, Epoch and End lines in an append-only ledger of JSON objects."""

import dataclasses
import fcntl
import functools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json as from_json_text

from liecbench.errors import LiecbenchError

SCHEMA = 1
LEDGER_NAME = "records.jsonl"
Status = Literal["completed", "failed", "diverged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A cell begins, or goes on after ``epochs_done`` epochs of an earlier attempt."""

    type: ClassVar[str] = "start"
    cell: str
    attempt: int
    at: str
    epochs_done: int
    spec: dict[str, Any]
    environment: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class KindTime:
    """What a step of one kind takes: the mean of ``timed_steps`` and its 95 % interval; an epoch has ``steps``."""

    steps: int
    timed_steps: int
    mean_seconds: float
    half_width_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """Where the parts of a composed epoch come from: the cell that was trained, and steps timed on this cell's link.

    Losses, accuracies, payload bytes, messages and norms are the trajectory's; times, CPU seconds and wire bytes are
    counts × means of the kinds of steps; memory is that of the timing.
    """

    trajectory: str
    kinds: dict[str, KindTime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """An epoch is trained, evaluated and checkpointed, or composed: this line is its commit.

    Durations in seconds, sizes in bytes, accuracy as a fraction; lists have one entry a rank, in order. Times are those
    of ``timed_steps``, which warm-up leaves out; everything else is of all ``steps``. Fetching and augmenting batches,
    ``data_seconds``, is not part of ``train_seconds``. ``least_communicate_seconds`` is of the rank that
    communicated least: it waited for nobody. ``other_cpu_share`` is the share of the machine's
    processors that was busy with anything but the ranks.
    """

    type: ClassVar[str] = "epoch"
    cell: str
    attempt: int
    epoch: int
    steps: int
    timed_steps: int
    train_loss: float
    test_loss: float
    test_accuracy: float
    train_seconds: float
    step_seconds: dict[str, float] | None
    compute_seconds: float
    exposed_seconds: float
    compress_seconds: float
    communicate_seconds: float
    payload_bytes: dict[str, list[int]]
    wire_bytes: dict[str, list[int]] | None
    messages: list[int]
    compression_error: float | None
    residual_norm: float | None
    divergence: float
    cpu_seconds: float
    peak_memory_bytes: int
    gpu: dict[str, float] | None
    composed: Composed | None = None
    data_seconds: float = 0.0
    # Records of earlier versions have none of these.
    least_communicate_seconds: float | None = None
    other_cpu_share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """A cell is over."""

    type: ClassVar[str] = "end"
    cell: str
    attempt: int
    status: Status
    error: str | None


Record = Start | Epoch | End
_TYPES: dict[str, type[Start] | type[Epoch] | type[End]] = {cls.type: cls for cls in (Start, Epoch, End)}


@functools.cache
def _adapter(kind: str) -> TypeAdapter[Record]:
    return TypeAdapter(_TYPES[kind])


def utc_now() -> str:
    """The time as ``Start`` writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def to_json(record: Record) -> str:
    """One line, without its end; no NaN or infinity, which JSON does not have."""
    fields = {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}
    if isinstance(record, Epoch) and record.composed is not None:
        fields["composed"] = dataclasses.asdict(record.composed)
    return json.dumps({"type": record.type, "schema": SCHEMA, **fields}, allow_nan=False)


def from_json(line: str) -> Record:
    """The inverse of ``to_json``; ValueError where the line is not a record of this schema."""
    return from_fields(from_json_text(line))


def from_fields(data: Any) -> Record:
    """A record from what its JSON holds; ValueError where it is none of this schema."""
    kind = data.get("type") if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in _TYPES:
        raise ValueError("not a start, epoch or end record")
    if data.get("schema") != SCHEMA:
        raise ValueError(f"schema {data.get('schema')}; this version reads schema {SCHEMA}")
    try:
        return _adapter(kind).validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"{kind} record: {where}: {first['msg']}") from None


def read(directory: Path, cell: str = "") -> Iterator[Record]:
    """Every record of a results directory, or of one cell; a last line that a crash tore is passed over."""
    path = directory / LEDGER_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise LiecbenchError(f"{path}: {error.strerror}", "give a results directory that `run` wrote") from None
    except UnicodeDecodeError:
        raise LiecbenchError(f"{path}: not UTF-8 text", "give a results directory that `run` wrote") from None
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        if cell not in line:
            continue
        try:
            record = from_json(line)
        except (ValueError, RecursionError) as error:
            remedy = "use the liecbench that wrote it, or remove the damaged line"
            raise LiecbenchError(f"{path}:{number}: {error}", remedy) from None
        if cell in ("", record.cell):
            yield record


class Ledger:
    """The append end of a results directory; one write and one fsync a record."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / LEDGER_NAME
        self._file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def append(self, record: Record) -> None:
        """Add one record; when this returns it is on the disk."""
        rest = (to_json(record) + "\n").encode()
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fsync(self._file)
        except OSError as error:
            remedy = "make room and run again: every record before is kept"
            raise LiecbenchError(f"{self._path}: {error.strerror}", remedy) from error

    def lock(self, directory: Path) -> None:
        """Keep other runs out for as long as this process lives, and mend what a crash left."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LiecbenchError(
                f"{directory} is in use by another run", "wait for it, or give another --out"
            ) from None
        self.mend()

    def mend(self) -> None:
        """Cut off a last line that a crash tore."""
        content = os.pread(self._file, os.fstat(self._file).st_size, 0)
        os.ftruncate(self._file, content.rfind(b"\n") + 1)

    def close(self) -> None:
        """Let go of the file and the lock."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
