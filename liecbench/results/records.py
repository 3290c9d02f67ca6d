"""The records of a ledger, and their JSON: the start, the epochs and the end of a cell, and bursts of timed steps.

A cell is one configuration of a scenario's matrix with one seed.
"""

import dataclasses
import functools
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BeforeValidator, TypeAdapter, ValidationError
from pydantic_core import from_json as parse_json

SCHEMA = 1
Status = Literal["completed", "failed", "diverged"]


def _zero_if_null(value: object) -> object:
    return 0.0 if value is None else value


Seconds = Annotated[float, BeforeValidator(_zero_if_null)]
_SECONDS: Final = (
    *("train_seconds", "compute_seconds", "exposed_seconds", "compress_seconds", "communicate_seconds"),
    *("cpu_seconds", "data_seconds"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The start of an attempt to train a cell.

    ``attempt`` counts from 1, and ``at`` is the UTC time. The attempt continues after the ``epochs_done`` epochs that
    earlier attempts trained. ``spec`` is the cell's specification, and ``environment`` describes the machine and links.
    """

    type: ClassVar[str] = "start"
    cell: str
    attempt: int
    at: str
    epochs_done: int
    spec: dict[str, Any]
    environment: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class KindTime:
    """The seconds per step of one step kind, such as averaging steps, in an epoch of a ledger from an earlier version.

    ``mean_seconds`` is the mean over ``timed_steps`` steps, and ``half_width_seconds`` is half the width of its 95 %
    confidence interval. ``steps`` is the number of steps of this kind in the epoch.
    """

    steps: int
    timed_steps: int
    mean_seconds: float
    half_width_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """The sources of an epoch that an earlier version computed from the training of one cell and the timing of another.

    ``trajectory`` is the id of the trained cell. Its losses, accuracies, payload bytes, messages and norms are also
    those of this epoch. ``kinds`` has the times of steps on the link of the timed cell, by step kind. Times, CPU
    seconds and wire bytes of the epoch are sums over step kinds of number of steps × mean per step. Peak memory is that
    of the timed steps.
    """

    trajectory: str
    kinds: dict[str, KindTime]


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstSteps:
    """Numbers from the first steps of a cell, when differences of rounding have not grown yet.

    ``train_loss`` has the loss of each step, mean over ranks. ``compression_error`` and ``residual_norm`` are measured
    after the last of these steps; None if the method does not compress or keeps no residual.
    """

    train_loss: list[float]
    compression_error: float | None
    residual_norm: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One finished epoch: trained, evaluated and checkpointed. An epoch without a record is trained again.

    Durations are in seconds, sizes in bytes, and accuracy is from 0 to 1. Lists hold one entry per rank, in order.
    Times cover only the ``timed_steps`` steps after warm-up. CPU seconds and all other numbers cover all ``steps``
    steps. ``data_seconds``, the time to fetch and augment batches, is not part of ``train_seconds``.
    ``least_communicate_seconds`` is the communication time of the rank that communicated least, because this rank
    waited for no other. ``other_cpu_share`` is the share of the machine's CPU time, from 0 to 1, that processes other
    than the ranks used. ``memory_bytes`` is the size of the vectors that the method keeps, such as residuals, on the
    rank with the most. Only the first epoch has ``first_steps``.

    ``train_seconds`` is the sum of four parts. ``compute_seconds`` is the time for the model and the optimizer without
    waiting for a processor, mean over ranks; if the steps were timed in a session, what they take alone.
    ``exposed_wire_seconds`` is the transfer that computing does not hide, at most bytes ÷ measured rate.
    ``exposed_compress_seconds`` is the compression that computing does not hide. ``other_seconds`` is the rest:
    latency, and waiting for other ranks or for a processor.

    ``step_kinds`` has the number of steps of each step kind. In a ledger, the seconds of an epoch without timed steps
    are null. If a cell is only timed in a session, while another cell is trained in its place, its epochs are computed
    when results are loaded. ``composed`` is set only in records of earlier versions.
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
    train_seconds: Seconds
    step_seconds: dict[str, float] | None
    compute_seconds: Seconds
    exposed_seconds: Seconds
    compress_seconds: Seconds
    communicate_seconds: Seconds
    payload_bytes: dict[str, list[int]]
    wire_bytes: dict[str, list[int]] | None
    messages: list[int]
    compression_error: float | None
    residual_norm: float | None
    divergence: float
    cpu_seconds: Seconds
    peak_memory_bytes: int
    gpu: dict[str, float] | None
    composed: Composed | None = None
    data_seconds: Seconds = 0.0
    # Records that earlier versions wrote lack the following fields.
    least_communicate_seconds: float | None = None
    other_cpu_share: float | None = None
    first_steps: FirstSteps | None = None
    exposed_wire_seconds: float | None = None
    exposed_compress_seconds: float | None = None
    other_seconds: float | None = None
    memory_bytes: int | None = None
    step_kinds: dict[str, int] | None = None

    @property
    def payload_bytes_per_rank(self) -> float:
        """Payload bytes sent + received, mean over ranks."""
        return _mean_over_ranks(self.payload_bytes)

    @property
    def wire_bytes_per_rank(self) -> float | None:
        """Wire bytes sent + received, mean over ranks; None if no network interface counts the bytes of each rank."""
        return None if self.wire_bytes is None else _mean_over_ranks(self.wire_bytes)


def _mean_over_ranks(bytes_by_direction: dict[str, list[int]]) -> float:
    sent, received = bytes_by_direction["sent"], bytes_by_direction["received"]
    return (sum(sent) + sum(received)) / len(sent)


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The end of an attempt to train a cell: its status, and the error message; None if the cell completed.

    ``link`` has the fields of a ``LinkTally``, such as the segments that each rank's link lost in each direction: what
    the delay line counted since the attempt or its timing session began. It is None, and absent in a
    ledger, if no delay line emulated the links.
    """

    type: ClassVar[str] = "end"
    cell: str
    attempt: int
    status: Status
    error: str | None
    link: dict[str, Any] | None = field(default=None, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One burst of a timing session: consecutive timed steps of one kind.

    In a timing session, contestants take turns: methods on the same link that are compared with each other. In a round,
    every contestant has one turn.

    Attributes:
        setting: A key that is equal for the cells that are timed in the same session (``Cell.setting``).
        contestant: A key that is equal for cells whose steps take equally long (``Cell.contestant``).
        kind: The step kind.
        kind_share: The share of the method's steps that are of this kind in a long training, from 0 to 1.
        placement: The number of the placement, from 0. For each placement, all contestants' models and buffers are
            created again, because step times also depend on where they lie in memory.
        round: The number of the round in the placement, from 0.
        order: The position of the contestant's turn in the round, from 0.
        steps: The number of timed steps.
        seconds: The time of all ``steps`` steps on the slowest rank. All other seconds also cover all these steps.
        compute_seconds: The part of ``seconds`` for the model and the optimizer: what they take when they are alone,
            without communication, compression and pauses. It is measured before each round, mean over ranks, and equal
            for all contestants that compute the same. In records of earlier versions: the same as ``thread_seconds``.
        wire_seconds: The part of ``seconds`` for transfer that computing did not hide: at most bytes ÷ measured rate.
        compress_seconds: The part of ``seconds`` for compression and decompression that computing did not hide.
        other_seconds: The rest of ``seconds``: latency, waiting for other ranks or for a processor, and what computing
            takes longer than alone, because of DistributedDataParallel, and of caches that are cold after a wait.
        exposed_seconds: Compression and communication that computing did not hide.
        communicate_seconds: Communication on the slowest rank, hidden or not.
        least_communicate_seconds: Communication on the rank that communicated least.
        data_seconds: Loading and augmenting batches, which is not part of ``seconds``.
        wire_bytes: Bytes ``sent`` and ``received``, each as a list with one number per rank, as counted by the network
            interfaces; None if no interface counts the bytes of each rank.
        cpu_seconds: CPU seconds of all ranks.
        other_cpu_share: The share of the machine's CPU time, from 0 to 1, that other processes used.
        peak_memory_bytes: The largest resident memory of a rank, which holds all contestants.
        payload_bytes: Payload bytes ``sent`` and ``received``, each as a list with one number per rank.
        all_compress_seconds: Compression on the slowest rank, hidden or not.
        step_quantiles: Seconds of single steps, each on its slowest rank, as evenly spaced quantiles.
        thread_seconds: What the model and the optimizer took in these steps: ``compute_seconds`` of a rank's
            measurement, mean over ranks. None in records of earlier versions.
    """

    type: ClassVar[str] = "timing"
    setting: str
    contestant: str
    kind: str
    kind_share: float
    placement: int
    round: int
    order: int
    steps: int
    seconds: float
    compute_seconds: float
    wire_seconds: float
    compress_seconds: float
    other_seconds: float
    exposed_seconds: float
    communicate_seconds: float
    least_communicate_seconds: float
    data_seconds: float
    wire_bytes: dict[str, list[int]] | None = field(hash=False)
    cpu_seconds: float
    other_cpu_share: float | None
    peak_memory_bytes: int
    payload_bytes: dict[str, list[int]] = field(hash=False)
    all_compress_seconds: float
    step_quantiles: list[float] = field(hash=False)
    thread_seconds: float | None = None


CellRecord = Start | Epoch | End
Record = CellRecord | Timing
_TYPES: dict[str, type[Start] | type[Epoch] | type[Timing] | type[End]] = {
    cls.type: cls for cls in (Start, Epoch, Timing, End)
}


@functools.cache
def _adapter(record_type: str) -> TypeAdapter[Record]:
    return TypeAdapter(_TYPES[record_type])


def utc_now() -> str:
    """Return the current UTC time in the format of ``Start.at``."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def to_json(record: Record) -> str:
    """Return a record as one line of JSON, without a line end.

    Raises:
        ValueError: If a number is NaN or infinite, which JSON does not have.
    """
    fields = {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}
    if isinstance(record, Epoch):
        for name in ("composed", "first_steps"):
            fields[name] = None if fields[name] is None else dataclasses.asdict(fields[name])
        if not record.timed_steps and not any(fields[name] for name in _SECONDS):
            fields |= dict.fromkeys(_SECONDS)
    if isinstance(record, End) and record.link is None:
        del fields["link"]
    return json.dumps({"type": record.type, "schema": SCHEMA, **fields}, allow_nan=False)


def from_json(line: str) -> Record:
    """Return the record in a line of JSON that ``to_json`` wrote.

    Raises:
        ValueError: If the line is not a record of this schema.
    """
    return from_fields(parse_json(line))


def from_fields(data: Any) -> Record:
    """Return the record in a parsed line of JSON; unknown fields, which later versions may write, are ignored.

    Raises:
        ValueError: If ``data`` is not a record of this schema.
    """
    record_type = data.get("type") if isinstance(data, dict) else None
    if not isinstance(record_type, str) or record_type not in _TYPES:
        raise ValueError("not a start, epoch, timing or end record")
    if data.get("schema") != SCHEMA:
        raise ValueError(f"schema {data.get('schema')}; this version reads schema {SCHEMA}")
    try:
        return _adapter(record_type).validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"{record_type} record: {where}: {first['msg']}") from None
