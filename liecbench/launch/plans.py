"""Plans: the files that every rank of a launch reads when it starts. Each class is one kind of plan."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from liecbench.config.jobs import Job, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class RankSettings:
    """Settings that a rank needs before it joins the process group. If ``share_gpus``, NCCL ranks may share a GPU."""

    backend: Literal["gloo", "nccl"]
    device: Literal["cpu", "cuda"]
    share_gpus: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan(RankSettings):
    """The work of one launch: either cells to train or timing sessions.

    Attributes:
        directory: The path of the results directory that records the work.
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
    """One case of ``liecbench bench exchange``: steps of an algorithm on a model with ``size`` parameters.

    ``options`` are the algorithm's options except ``compressor``, such as ``{"server": "sharded"}``.
    """

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
    """The cases that the ranks of a benchmark measure, one after the other.

    Attributes:
        backend: The backend of the process group.
        device: The device that the ranks use.
        steps: The cases of ``liecbench bench exchange``; empty for ``liecbench bench link``.
        transfers: The cases of ``liecbench bench link``; empty for ``liecbench bench exchange``.
    """

    type: ClassVar[str] = "benchmark_plan"
    backend: Literal["gloo", "nccl"] = "gloo"
    device: Literal["cpu", "cuda"] = "cpu"
    steps: tuple[StepCase, ...] = ()
    transfers: tuple[TransferCase, ...] = ()


Plan = TrainingPlan | PairedPlan | BenchmarkPlan
