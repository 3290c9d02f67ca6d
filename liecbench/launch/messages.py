"""The messages between the ``liecbench`` command and its ranks.

The command sends plans and orders to the ranks; the ranks send events to the command. Each class is one message.
``launch.channel`` writes a message as one line of JSON, under the name in ``type``, and validates every field when it
reads the line.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from liecbench.config.cell import Job, Session
from liecbench.results.records import End, Epoch, Start, Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class RankSettings:
    """Settings that a rank needs before it joins the process group. If ``share_gpus``, NCCL ranks may share a GPU."""

    backend: Literal["gloo", "nccl"]
    device: Literal["cpu", "cuda"]
    share_gpus: bool = False


# ---- plans: a file that every rank of a launch reads when it starts


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan(RankSettings):
    """Cells to train one after the other, or timing sessions, and the results directory that records them.

    Attributes:
        directory: The path of the results directory.
        paced: Whether the ranks delay their messages to emulate the rates of the cells' links.
        trace: Whether each cell records a timeline of a few steps.
        jobs: The cells to train, in order; empty in the plans of all machines but the first.
        sessions: The timing sessions, in order; empty in the plans of all machines but the first.
    """

    type: ClassVar[str] = "training_plan"
    directory: str
    paced: bool = False
    trace: bool = False
    jobs: tuple[Job, ...] = ()
    sessions: tuple[Session, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedPlan(RankSettings):
    """The plan for the ranks of A or B, the two sides that ``liecbench check`` compares.

    Attributes:
        orders: The path of the named pipe from which rank 0 reads orders.
        paced: Whether the ranks delay their messages to emulate the rates of the cells' links.
    """

    type: ClassVar[str] = "paired_plan"
    orders: str
    paced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCase:
    """One case of ``liecbench bench exchange``: steps of an algorithm on a model with ``size`` parameters."""

    type: ClassVar[str] = "step_case"
    size: int
    link: str | dict[str, Any]
    algorithm: str
    compressor: str | None
    options: dict[str, Any]
    warmup_steps: int
    timed_steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferCase:
    """One case of ``liecbench bench link``: an operation on ``size`` bytes.

    The case is timed ``repeats`` times; each time, the operation is done ``messages`` times in a row.
    """

    type: ClassVar[str] = "transfer_case"
    operation: str
    size: int
    link: str | dict[str, Any]
    messages: int
    repeats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkPlan(RankSettings):
    """Cases for the ranks of a benchmark to measure one after the other.

    Attributes:
        backend: The backend of the process group.
        device: The device of the vectors.
        steps: The cases of ``liecbench bench exchange``.
        transfers: The cases of ``liecbench bench link``.
    """

    type: ClassVar[str] = "benchmark_plan"
    backend: Literal["gloo", "nccl"] = "gloo"
    device: Literal["cpu", "cuda"] = "cpu"
    steps: tuple[StepCase, ...] = ()
    transfers: tuple[TransferCase, ...] = ()


# ---- orders: one line each, to processes that wait for them


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOrder(RankSettings):
    """An order from the first machine to another machine: launch your share of ``workers`` ranks.

    Each rank has ``threads`` threads.
    """

    type: ClassVar[str] = "node_order"
    workers: int
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRefused:
    """The first machine's answer to another machine that cannot take part in the run, for this reason."""

    type: ClassVar[str] = "node_refused"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCell:
    """An order to the ranks of one side of ``liecbench check``: build this cell, and keep it to time its steps.

    ``cell`` has the fields of the cell as ``Cell.spec`` returns them. It is not a ``Cell``, because the ranks may run
    another version of liecbench, in which some values of the fields may not exist.
    """

    type: ClassVar[str] = "open"
    cell: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainBurst:
    """An order to ranks that have built a cell: train its step number ``first`` untimed, then ``steps`` timed steps.

    ``added_seconds`` has, by step kind, the seconds by which each step is artificially slowed down. Steps of one kind
    have equal message sizes.
    """

    type: ClassVar[str] = "burst"
    first: int
    steps: int
    added_seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseCell:
    """An order to ranks, sent by ``liecbench check``: free the model and data of the cell that they have built."""

    type: ClassVar[str] = "close"


PairedOrder = OpenCell | TrainBurst | CloseCell


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """Settings of torchrun's agent on one machine, which starts ``local_workers`` ranks.

    Each rank runs ``python -m module plan``. The ranks of all machines rendezvous at ``address`` and ``port``.
    """

    module: str
    plan: str
    num_nodes: int
    node_rank: int
    local_workers: int
    address: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkLaunch:
    """An order to a template process, which has imported torch: fork the supervisor of a launch.

    Three file descriptors accompany the order: the write end of the pipe for events, the log, and the socket to which
    the template writes its answer ``LaunchEnded``.

    Attributes:
        agent: Settings of torchrun's agent.
        num_links: The number of shaped links; 0 if the launch has none.
        isolate: Whether the launch has namespaces of its own.
        imports: Modules that the template imports before it forks. They stay imported for later launches.
    """

    type: ClassVar[str] = "fork_launch"
    agent: Agent
    num_links: int
    isolate: bool
    imports: tuple[str, ...] = ()


# ---- events: one line each, from a rank or its supervisor to the command


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
    """Progress of a timing session, which times methods in turns: the turn of one method has begun.

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
    """The last event of a rank that ends by an exception; ``disk`` is set if a full or read-only disk is the cause."""

    type: ClassVar[str] = "lost"
    reason: str
    disk: DiskError | None = None


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
        first: The number of the first step that is of the most frequent kind. Steps of one kind have equal message
            sizes.
        environment: The software and hardware that the cell runs on.
    """

    type: ClassVar[str] = "opened"
    average_period: int
    first: int
    environment: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstResult:
    """Answer to the order ``TrainBurst``: measurements of the timed steps. Lists have one item per rank.

    Attributes:
        seconds: The total time of the slowest rank.
        kind_seconds: For each step kind, the total time of the steps of this kind. Steps of one kind have equal message
            sizes. The time of a step is that of the rank that is slowest in this step.
        kind_steps: For each step kind, the number of steps.
        wall_over_cpu: The wall time of computation divided by the CPU time of the main thread, on the rank with the
            largest ratio. A ratio above 1 means that the rank waited for a processor.
        train_loss: The mean loss over steps and ranks.
        sent_bytes: The bytes that each rank sent.
        received_bytes: The bytes that each rank received.
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
    """Answer of a template process to ``ForkLaunch``, sent when all processes of the launch have ended."""

    type: ClassVar[str] = "launch_ended"
    status: int


TrainingEvent = Refused | StepProgress | TimingProgress | Notice | Heartbeat | Lost | Start | Epoch | Timing | End
BenchmarkEvent = CaseStarted | CaseMeasured
PairedEvent = Ready | Opened | BurstResult | Closed | Failed | Unknown
Event = TrainingEvent | BenchmarkEvent | PairedEvent
Plan = TrainingPlan | PairedPlan | BenchmarkPlan
Message = Plan | NodeOrder | NodeRefused | PairedOrder | ForkLaunch | LaunchEnded | Event
