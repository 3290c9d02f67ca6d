"""The records of a ledger: the start, the epochs and the end of a cell, and bursts of timed steps.

A cell is one configuration of a scenario's matrix with one seed.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, Literal

from pydantic import ConfigDict

from liecbench.network.link_tally import LinkTally
from liecbench.results.composed_record import Composed
from liecbench.results.environment_record import Environment
from liecbench.results.ranges import (
    STRICT,
    Count,
    CpuShare,
    Fraction,
    GpuFigures,
    Natural,
    NonNegative,
    RankBytes,
    Real,
    Seconds,
    StepKinds,
    StepSeconds,
    TimedSeconds,
)
from liecbench.results.timing_record import Timing

Status = Literal["completed", "failed", "diverged"]
# The fields of an epoch that a ledger holds as null if no step was timed.
TIMED_SECONDS: Final = (
    *("train_seconds", "compute_seconds", "exposed_seconds", "compress_seconds", "communicate_seconds"),
    *("cpu_seconds", "data_seconds"),
)
# The parts of an epoch's timed seconds that computing did not hide; records of earlier versions lack them.
EXPOSED_PARTS: Final = ("exposed_wire_seconds", "exposed_compress_seconds", "other_seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The start of an attempt to train a cell.

    ``attempt`` counts from 1, and ``at`` is the UTC time. The attempt continues after the ``epochs_done`` epochs that
    earlier attempts trained. ``spec`` is the cell's specification, and ``environment`` describes the machine and links.
    """

    type: ClassVar[str] = "start"
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    cell: str
    attempt: Natural
    at: str
    epochs_done: Count
    spec: dict[str, Any]
    environment: Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstSteps:
    """Numbers from the first steps of a cell, in which differences caused by rounding are still small.

    Attributes:
        train_loss: The loss of each step, mean over ranks.
        compression_error: The compression error after the last of these steps; None if the method does not compress.
        residual_norm: The norm of the residual after the last of these steps; None if the method keeps no residual.
    """

    train_loss: list[Real]
    compression_error: NonNegative | None
    residual_norm: NonNegative | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """The record of one epoch that has been trained, evaluated and checkpointed.

    Durations are in seconds, and sizes in bytes. Accuracy is from 0 to 1. Lists have one number per rank.

    Times, except ``cpu_seconds``, cover only the ``timed_steps`` steps after warm-up. Everything else, such as losses,
    bytes and ``cpu_seconds``, covers all ``steps`` steps. ``train_seconds`` is the sum of ``compute_seconds``,
    ``exposed_wire_seconds``, ``exposed_compress_seconds`` and ``other_seconds``. If no step was timed, null in a
    field of ``TIMED_SECONDS`` is read as 0.

    A ledger has no epochs of a cell that is only timed in a timing session. The epochs of such a cell are
    computed when results are loaded.

    Attributes:
        compute_seconds: The time that the model and the optimizer compute, mean over ranks, without waiting for a
            processor. If the cell is only timed in a timing session, the time is measured while no rank communicates.
        exposed_wire_seconds: The time that training waits for the transfer of messages. If the link rate is known, at
            most bytes ÷ rate.
        exposed_compress_seconds: The time that training waits for compression and decompression.
        other_seconds: The rest of ``train_seconds``: latency, and waiting for other ranks or for a processor.
        data_seconds: The time to fetch and augment batches, which is not part of ``train_seconds``.
        least_communicate_seconds: The communication time of the rank that communicated for the shortest time.
        other_cpu_share: The share of the machine's CPU time, from 0 to 1, that processes other than the ranks used.
        memory_bytes: The size of the vectors that the method keeps from step to step, such as residuals, on the rank
            where they are largest.
        optimizer_bytes: The size of the optimizer's states, such as momentum, on rank 0. None if there are no states.
        first_steps: Losses and other numbers from the first steps of the training. None in epochs after the first.
        step_kinds: The number of steps of each step kind.
        tokens: The number of tokens that all ranks train on. None if the model is not a language model.
        samples: The number of samples that all ranks train on. Samples at the end of an epoch that do not fill a step
            are left out, so that the number can differ between methods. None in records of earlier versions.
        composed: The sources of an epoch that an earlier version composed from two cells; None for all other epochs.
    """

    type: ClassVar[str] = "epoch"
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    cell: str
    attempt: Natural
    epoch: Natural
    steps: Natural
    timed_steps: Count
    train_loss: Real
    test_loss: Real
    test_accuracy: Fraction
    train_seconds: TimedSeconds
    step_seconds: StepSeconds | None
    compute_seconds: TimedSeconds
    exposed_seconds: TimedSeconds
    compress_seconds: TimedSeconds
    communicate_seconds: TimedSeconds
    payload_bytes: RankBytes
    wire_bytes: RankBytes | None
    messages: list[Count]
    compression_error: NonNegative | None
    residual_norm: NonNegative | None
    divergence: NonNegative
    cpu_seconds: TimedSeconds
    peak_memory_bytes: Count
    gpu: GpuFigures | None
    composed: Composed | None = None
    data_seconds: TimedSeconds = 0.0
    # Records that earlier versions wrote lack the following fields.
    least_communicate_seconds: Seconds | None = None
    other_cpu_share: CpuShare | None = None
    first_steps: FirstSteps | None = None
    exposed_wire_seconds: Seconds | None = None
    exposed_compress_seconds: Seconds | None = None
    other_seconds: Seconds | None = None
    memory_bytes: Count | None = None
    step_kinds: StepKinds | None = None
    tokens: Natural | None = None
    optimizer_bytes: Count | None = None
    samples: Natural | None = None

    def __post_init__(self) -> None:
        """Replace None by 0 in the fields of ``TIMED_SECONDS``.

        Raises ValueError if one of these fields is None, but steps were timed.
        """
        first = (self.train_seconds, self.compute_seconds, self.exposed_seconds, self.compress_seconds)
        if None not in first and None not in (self.communicate_seconds, self.cpu_seconds, self.data_seconds):
            return
        null = [name for name in TIMED_SECONDS if getattr(self, name) is None]
        if self.timed_steps:
            raise ValueError(f"{null[0]} is null, although steps were timed")
        for name in null:
            object.__setattr__(self, name, 0.0)

    @property
    def payload_bytes_per_rank(self) -> float:
        """The payload bytes of this epoch, sent plus received, as the mean over ranks."""
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
    """The end of an attempt to train or to time a cell.

    Attributes:
        cell: The cell's id.
        attempt: The number of the attempt, from 1.
        status: The outcome of the attempt.
        error: The error message; None if the cell completed.
        link: Counts of the delay line (the process that emulates links), such as lost segments per rank. For a
            trained cell, the counts cover the attempt. For a cell that is only timed, the counts cover the timing
            session up to this record. None if there is no delay line, or if the ``liecbench`` command wrote the record.
    """

    type: ClassVar[str] = "end"
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    cell: str
    attempt: Natural
    status: Status
    error: str | None
    link: LinkTally | None = None


CellRecord = Start | Epoch | End
Record = CellRecord | Timing


def untrained_epoch(cell: str, workers: int, samples: int | None) -> Epoch:
    """Return an epoch of one step, with times 0 and with NaN as losses and accuracy, for a cell that is only timed.

    Args:
        cell: The cell's id.
        workers: The number of ranks.
        samples: The number of samples of all ranks in the step; None if it is unknown.
    """
    return Epoch(
        cell=cell,
        attempt=1,
        epoch=1,
        steps=1,
        timed_steps=0,
        train_loss=math.nan,
        test_loss=math.nan,
        test_accuracy=math.nan,
        train_seconds=0.0,
        step_seconds=None,
        compute_seconds=0.0,
        exposed_seconds=0.0,
        compress_seconds=0.0,
        communicate_seconds=0.0,
        payload_bytes={"sent": [0] * workers, "received": [0] * workers},
        wire_bytes=None,
        messages=[0] * workers,
        compression_error=None,
        residual_norm=None,
        divergence=0.0,
        cpu_seconds=0.0,
        peak_memory_bytes=0,
        gpu=None,
        samples=samples,
    )


def utc_now() -> str:
    """Return the current UTC time as ISO 8601 text, such as ``2026-01-31T12:00:00+00:00``."""
    return datetime.now(UTC).isoformat(timespec="seconds")
