"""The messages between a command and its ranks: plans and orders go down, events come up.

Each class is one message. ``launch.channel`` writes a message as one line of JSON, under the name in its ``type``, and
reads it back with every field validated.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from liecbench.config.cell import Job
from liecbench.results.records import End, Epoch, Start


@dataclass(frozen=True, slots=True, kw_only=True)
class RankSettings:
    """Settings that a rank needs before it joins its process group; with ``share_gpus`` NCCL ranks may share GPUs."""

    backend: Literal["gloo", "nccl"]
    device: Literal["cpu", "cuda"]
    share_gpus: bool = False


# ---- plans: a file that every rank of a launch reads when it starts


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan(RankSettings):
    """Cells to train one after the other, and the results directory that records them.

    With ``paced`` the processes hold their links' rates, with ``trace`` each cell leaves a timeline of a few steps.
    """

    type: ClassVar[str] = "training_plan"
    directory: str
    paced: bool = False
    trace: bool = False
    jobs: tuple[Job, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedPlan(RankSettings):
    """One side of a paired comparison: its ranks wait for orders from the named pipe ``orders``."""

    type: ClassVar[str] = "paired_plan"
    orders: str
    paced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCase:
    """One case of ``bench exchange``: steps of an algorithm on a model of ``size`` parameters."""

    type: ClassVar[str] = "step_case"
    size: int
    link: str
    algorithm: str
    compressor: str | None
    options: dict[str, Any]
    warmup_steps: int
    timed_steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferCase:
    """One case of ``bench link``: an operation on ``size`` bytes, ``messages`` at once, repeated ``repeats`` times."""

    type: ClassVar[str] = "transfer_case"
    operation: str
    size: int
    link: str | dict[str, Any]
    messages: int
    repeats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkPlan(RankSettings):
    """Cases to measure one after the other, all of one benchmark."""

    type: ClassVar[str] = "benchmark_plan"
    backend: Literal["gloo", "nccl"] = "gloo"
    device: Literal["cpu", "cuda"] = "cpu"
    steps: tuple[StepCase, ...] = ()
    transfers: tuple[TransferCase, ...] = ()


# ---- orders: one line each, to processes that wait for them


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOrder(RankSettings):
    """An order from the first machine to the others: launch your share of these workers."""

    type: ClassVar[str] = "node_order"
    workers: int
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCell:
    """Build a cell, given as ``Cell.spec`` returns it: another version may not know all that it names."""

    type: ClassVar[str] = "open"
    cell: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainBurst:
    """Train step ``first``, which is not timed, and then ``steps`` timed steps of the open cell.

    ``added_seconds`` prolongs each step of a kind.
    """

    type: ClassVar[str] = "burst"
    first: int
    steps: int
    added_seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseCell:
    """End the open cell."""

    type: ClassVar[str] = "close"


PairedOrder = OpenCell | TrainBurst | CloseCell


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """torchrun's agent on one machine, whose ranks run ``python -m module plan`` and meet at ``address``."""

    module: str
    plan: str
    num_nodes: int
    node_rank: int
    local_workers: int
    address: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkLaunch:
    """An order to a template process: fork the supervisor of a launch, with ``num_links`` shaped links.

    Three descriptors come with it: the pipe for events, the log, and the socket that answers with ``LaunchEnded``.
    """

    type: ClassVar[str] = "fork_launch"
    agent: Agent
    num_links: int
    isolate: bool


# ---- events: one line each, from a rank or its supervisor to the command


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The kernel refuses namespaces or links; nothing was started."""

    type: ClassVar[str] = "refused"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProgress:
    """Progress of the cell in training: ``step`` of ``steps`` in epoch ``epoch``, both counted from 1."""

    type: ClassVar[str] = "progress"
    cell: str
    epoch: int
    step: int
    steps: int
    loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingProgress:
    """Progress of the cell whose steps are timed: ``steps`` of one kind so far, and their mean."""

    type: ClassVar[str] = "timing"
    cell: str
    kind: str
    steps: int
    mean_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A warning that changes no result."""

    type: ClassVar[str] = "notice"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """A sign of life, sent when no step is."""

    type: ClassVar[str] = "heartbeat"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskError:
    """The system's error for a full or read-only disk, and the file that it concerns if that is known."""

    path: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The exception that ends a rank; its last event."""

    type: ClassVar[str] = "lost"
    reason: str
    disk: DiskError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseStarted:
    """A benchmark begins case number ``case``, counted from 0."""

    type: ClassVar[str] = "case_started"
    case: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseMeasured:
    """The figures of a benchmark's case, and the link that they were measured on."""

    type: ClassVar[str] = "case_measured"
    case: int
    figures: dict[str, Any]
    link: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The ranks of a side have joined and wait for orders."""

    type: ClassVar[str] = "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Answer to ``OpenCell``: the averaging period, the first step of the commonest kind, and the environment."""

    type: ClassVar[str] = "opened"
    average_period: int
    first: int
    environment: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstResult:
    """Answer to ``TrainBurst``, lists by rank.

    ``seconds`` is the slowest rank's total, ``kind_seconds`` the sum over the slowest rank of each step.
    ``wall_over_cpu`` is the largest ratio of computing time to the CPU time of a rank's main thread: above 1 the rank
    waited for a processor.
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
    """Answer to ``CloseCell``."""

    type: ClassVar[str] = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The open cell failed; the ranks stay and wait for orders."""

    type: ClassVar[str] = "failed"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Answer to ``OpenCell`` of a version that lacks something that the cell names."""

    type: ClassVar[str] = "unknown"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchEnded:
    """Answer of a template process to ``ForkLaunch``, once all processes of the launch have ended."""

    type: ClassVar[str] = "launch_ended"
    status: int


TrainingEvent = Refused | StepProgress | TimingProgress | Notice | Heartbeat | Lost | Start | Epoch | End
BenchmarkEvent = CaseStarted | CaseMeasured
PairedEvent = Ready | Opened | BurstResult | Closed | Failed | Unknown
Event = TrainingEvent | BenchmarkEvent | PairedEvent
Plan = TrainingPlan | PairedPlan | BenchmarkPlan
Message = Plan | NodeOrder | PairedOrder | ForkLaunch | LaunchEnded | Event
