"""Events: messages, of one line each, that ranks or their supervisor send to the command."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from liecbench.results.records import End, Epoch, Start
from liecbench.results.timing_record import Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The kernel refused to create namespaces or links for the launch, so that no rank was started."""

    type: ClassVar[str] = "refused"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProgress:
    """Progress of the cell in training: step number ``step`` of ``steps`` in epoch ``epoch``; both count from 1."""

    type: ClassVar[str] = "progress"
    cell: str
    epoch: int
    step: int
    steps: int
    loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingProgress:
    """Progress of a timing session: a method's turn has begun.

    Attributes:
        cell: The id of the cell whose steps are timed.
        round: The number of the round, from 1. In a round, every method has one turn.
        rounds: The number of rounds planned so far; it may grow.
    """

    type: ClassVar[str] = "timing_progress"
    cell: str
    round: int
    rounds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A warning for the user; it does not affect results."""

    type: ClassVar[str] = "notice"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """A sign that the ranks are alive, sent while they do something other than training steps."""

    type: ClassVar[str] = "heartbeat"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskError:
    """The system's error message for a full or read-only disk; ``path`` is the file, or None if that is unknown."""

    path: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A rank ended because of an error.

    The rank sends this event itself after an exception. torchrun's agent sends it if the rank's process died without an
    exception.

    Attributes:
        reason: The error as text, such as ``rank 0: ValueError: no data``.
        disk: The disk's error if a full or read-only disk caused the exception; else None.
        cause: ``process`` if the process died without an exception, such as by a signal; ``connection`` if the
            exception says that the connection to another rank was lost; ``error`` for any other exception.
    """

    type: ClassVar[str] = "lost"
    reason: str
    disk: DiskError | None = None
    cause: Literal["process", "error", "connection"] = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseStarted:
    """The start of one case of a benchmark; ``case`` is its index in the plan, from 0."""

    type: ClassVar[str] = "case_started"
    case: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseMeasured:
    """The result of one case of a benchmark: the measured figures, and a description of the link.

    ``case`` is the index of the case in the plan, from 0. ``figures`` has the measurements by name.
    """

    type: ClassVar[str] = "case_measured"
    case: int
    figures: dict[str, Any]
    link: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The ranks of one side of ``liecbench check`` have joined their process group, and wait for orders."""

    type: ClassVar[str] = "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Answer to the order ``OpenCell``: the cell is built.

    Attributes:
        average_period: The averaging period in steps; 1 if the algorithm has none.
        first: The number, from 0, of the first step of the most frequent step kind. Timing starts here or later. Steps
            of one kind have equal message sizes.
        environment: The software and hardware that the cell runs on.
    """

    type: ClassVar[str] = "opened"
    average_period: int
    first: int
    environment: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstResult:
    """Answer to the order ``TrainBurst``: measurements of a burst, which is one untimed step and then timed steps.

    Times are those of the timed steps. The loss, bytes and messages are those of all steps, including the untimed step.
    Lists have one item per rank.

    Attributes:
        seconds: The total seconds of the slowest rank.
        kind_seconds: For each step kind, the total seconds of the timed steps of this kind. Steps of one kind have
            equal message sizes. The time of a step is that of the rank that is slowest in this step.
        kind_steps: For each step kind, the number of timed steps.
        wall_over_cpu: The wall time of computation divided by the CPU time of the main thread, on the rank with the
            largest ratio. A ratio above 1 means that the rank waited for a processor.
        train_loss: The mean loss over steps and ranks.
        sent_bytes: The payload bytes that each rank sent.
        received_bytes: The payload bytes that each rank received.
        messages: The number of messages that each rank sent.
    """

    type: ClassVar[str] = "burst_result"
    seconds: float
    kind_seconds: dict[str, float]
    kind_steps: dict[str, int]
    wall_over_cpu: float
    train_loss: float
    sent_bytes: list[int]
    received_bytes: list[int]
    messages: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """Answer to the order ``CloseCell``: the ranks have released the cell that they had built."""

    type: ClassVar[str] = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Answer to an order that failed; ``reason`` says what is wrong with the cell. The ranks wait for more orders."""

    type: ClassVar[str] = "failed"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Answer to the order to build a cell: this version of liecbench does not know a name or value in the cell."""

    type: ClassVar[str] = "unknown"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchEnded:
    """Answer of a template process to ``ForkLaunch``, sent when all processes of the launch have ended.

    ``status`` is the exit status of the launch's supervisor.
    """

    type: ClassVar[str] = "launch_ended"
    status: int


TrainingEvent = Refused | StepProgress | TimingProgress | Notice | Heartbeat | Lost | Start | Epoch | Timing | End
BenchmarkEvent = CaseStarted | CaseMeasured
PairedEvent = Ready | Opened | BurstResult | Closed | Failed | Unknown
Event = TrainingEvent | BenchmarkEvent | PairedEvent
