"""Launches: group cells (training runs) that can share one torchrun, write the ranks' plan, and run the ranks."""

import dataclasses
import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from liecbench.config.cell import Cell
from liecbench.config.factory import cpu_kernels
from liecbench.config.jobs import Job, Session
from liecbench.launch.channel import write_plan
from liecbench.launch.events import Event, Lost, Notice
from liecbench.launch.multinode import Leader, Nodes, orders
from liecbench.launch.orders import NodeOrder
from liecbench.launch.plans import RankSettings, TrainingPlan
from liecbench.launch.torchrun import NAMESPACES_REMEDY, LaunchOutcome, Torchrun, start_torchrun

Work = TypeVar("Work", bound=Job | Session)
REFUSED_REMEDY = (
    f"{NAMESPACES_REMEDY}, or use enforcement: process, which paces the exchange, or link: none, which shapes nothing"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """The jobs or the timing sessions of one torchrun.

    All cells of a launch agree in the fields of ``launch_key``, such as the number of workers. Other fields, such as
    the rates of links, may differ.

    Attributes:
        jobs: The cells to train, in the order in which they run; empty for timing sessions.
        sessions: The timing sessions, in the order in which they run; empty for trainings.
        share_gpus: True if several NCCL ranks may share one GPU.
    """

    jobs: tuple[Job, ...] = ()
    sessions: tuple[Session, ...] = ()
    share_gpus: bool = False

    @property
    def _first(self) -> Cell:
        return self.sessions[0].cell if self.sessions else self.jobs[0].cell

    @property
    def work(self) -> str:
        """The launch's work in words, such as ``3 cells to train`` or ``1 cell to time``."""
        num_timed = sum(len(session.jobs) for session in self.sessions)
        number, verb = (num_timed, "time") if self.sessions else (len(self.jobs), "train")
        return f"{number} cell{'' if number == 1 else 's'} to {verb}"

    @property
    def workers(self) -> int:
        """World size."""
        return self._first.workers

    @property
    def shaped(self) -> bool:
        """True if the kernel shapes the cells' links, so that the launch needs namespaces of its own."""
        return self._first.link.shaped and self._first.enforcement == "kernel"

    def torchrun(self, nodes: Nodes | None = None) -> Torchrun:
        """Return the settings of the torchrun that trains or times the launch's cells.

        Args:
            nodes: The machines of the run; None means this machine alone.
        """
        ranks = _training_ranks(self.workers, self._first.threads, nodes, shaped=self.shaped)
        timed = (contestant.cell for session in self.sessions for contestant in session.contestants)
        cells = (*(job.cell for job in self.jobs), *timed)
        kernels = (name for cell in cells for name in cpu_kernels(cell))
        return dataclasses.replace(ranks, kernels=tuple(dict.fromkeys(kernels)))

    def describe(self, plan: Path, nodes: Nodes | None = None) -> str:
        """Return the torchrun command line as text for a shell.

        Args:
            plan: The file with the plan for the ranks.
            nodes: The machines of the run; None means this machine alone.
        """
        return self.torchrun(nodes).describe(plan)

    @property
    def paced(self) -> bool:
        """True if the ranks themselves delay their messages to emulate the rates of the cells' links."""
        return self._first.enforcement == "process" and self._first.link.shaped

    @property
    def settings(self) -> RankSettings:
        """Settings that each rank needs before it joins the process group: backend, device and ``share_gpus``."""
        backend = self._first.backend
        share_gpus = self.share_gpus and backend == "nccl"
        return RankSettings(backend=backend, device=self._first.device, share_gpus=share_gpus)

    def plan(self, directory: Path, *, trace: bool) -> TrainingPlan:
        """Return the plan for the launch's ranks, which write their results to ``directory``.

        If ``trace`` is True, the ranks also write a timeline of a few steps per cell.
        """
        return TrainingPlan(
            directory=str(directory.resolve()),
            **dataclasses.asdict(self.settings),
            paced=self.paced,
            trace=trace,
            jobs=self.jobs,
            sessions=self.sessions,
        )


def _training_ranks(workers: int, threads: int, nodes: Nodes | None, *, shaped: bool) -> Torchrun:
    return Torchrun(
        module="liecbench.worker",
        workers=workers,
        threads=threads,
        shaped=shaped,
        nodes=nodes,
        imports=("liecbench.worker.loop",),
    )


def prepare(threads: int, nodes: Nodes | None) -> None:
    """Start the template process, which later forks the ranks, and do not wait for the template's imports.

    Args:
        threads: The number of threads of each rank.
        nodes: The machines of the run; None for this machine alone.
    """
    _training_ranks(1, threads, nodes, shaped=False).prepare()


def launch_key(cell: Cell) -> tuple[object, ...]:
    """Return the values of those fields of a cell that must be equal for all cells of a launch."""
    # Cells with and without shaped links never share a launch, because a cell's network must not depend on other cells.
    return (cell.workers, cell.threads, cell.backend, cell.device, cell.enforcement, cell.link.shaped, cell.link.host)


def group(jobs: Iterable[Job], *, isolate: bool = False, share_gpus: bool = False) -> list[Launch]:
    """Group jobs into launches: jobs whose cells have equal ``launch_key`` share a launch.

    Args:
        jobs: The cells to train.
        isolate: True to give every cell a launch of its own instead.
        share_gpus: The value of ``share_gpus`` in every launch: True if several NCCL ranks may share one GPU.

    Returns:
        The launches, in the order of their first jobs.
    """
    return [Launch(jobs=tuple(jobs), share_gpus=share_gpus) for jobs in _by_key(jobs, isolate=isolate)]


def group_sessions(sessions: Iterable[Session], *, isolate: bool = False, share_gpus: bool = False) -> list[Launch]:
    """Group timing sessions into launches: sessions whose cells have equal ``launch_key`` share a launch.

    Args:
        sessions: The timing sessions.
        isolate: True to give every session a launch of its own instead.
        share_gpus: The value of ``share_gpus`` in every launch: True if several NCCL ranks may share one GPU.

    Returns:
        The launches, in the order of their first sessions.
    """
    return [Launch(sessions=tuple(found), share_gpus=share_gpus) for found in _by_key(sessions, isolate=isolate)]


def _by_key(work: Iterable[Work], *, isolate: bool) -> list[list[Work]]:
    launches: dict[tuple[object, ...], list[Work]] = {}
    for item in work:
        cell: Cell = item.cell
        launches.setdefault((*launch_key(cell), cell.id if isolate else None), []).append(item)
    return list(launches.values())


def start(
    launch: Launch,
    directory: Path,
    on_event: Callable[[Event], None],
    leader: Leader | None = None,
    stall_timeout: Callable[[], float] | None = None,
    *,
    trace: bool = False,
) -> LaunchOutcome:
    """Run a launch to its end and return its outcome. The plan and the log are written to ``directory/logs``.

    Args:
        launch: The launch.
        directory: The results directory.
        on_event: Called with each event of the ranks.
        leader: If given, orders the other machines to launch their shares of the ranks.
        stall_timeout: Returns the number of seconds without an event after which the launch is ended. None to wait
            forever.
        trace: Whether each cell records a timeline of a few steps.

    Raises:
        MachineError: The kernel refuses the namespaces that shaped links need, or another machine is gone.
    """
    plan, log = _paths(directory)
    write_plan(plan, launch.plan(directory, trace=trace))
    torchrun = launch.torchrun(leader.nodes if leader else None)
    if leader is not None:
        settings = dataclasses.asdict(launch.settings)
        leader.send(NodeOrder(workers=torchrun.workers, threads=torchrun.threads, **settings))
    return start_torchrun(torchrun, plan, log, on_event, refused_remedy=REFUSED_REMEDY, stall_timeout=stall_timeout)


def follow(nodes: Nodes, directory: Path, say: Callable[[str], None]) -> bool:
    """Launch this machine's ranks each time the first machine asks for it, until that machine closes the connection.

    Checkpoints and logs go to ``directory``, which the machines may share. ``say`` prints a line. Return True if every
    launch succeeded.
    """
    succeeded = True
    for number, order in enumerate(orders(nodes), start=1):
        say(f"launch {number}: {order.workers // nodes.count} of {order.workers} workers here")
        plan, log = _paths(directory, suffix=f".node-{nodes.rank}")
        # The plan has no jobs, because the ranks receive these from rank 0.
        own = TrainingPlan(
            directory=str(directory.resolve()),
            backend=order.backend,
            device=order.device,
            share_gpus=order.share_gpus,
        )
        write_plan(plan, own)
        torchrun = _training_ranks(order.workers, order.threads, nodes, shaped=False)
        outcome = start_torchrun(torchrun, plan, log, functools.partial(_say_event, say))
        if outcome.status:
            say(f"launch {number} ended with status {outcome.status}, see {outcome.log}")
            succeeded = False
    return succeeded


def _say_event(say: Callable[[str], None], event: Event) -> None:
    """Print the failure or warning that ``event``, an event of this machine's ranks, reports; ignore other events."""
    # This machine is not the first one. The other events come only from rank 0, which runs on the first machine.
    if isinstance(event, Lost):
        say(event.reason)
    elif isinstance(event, Notice):
        say(event.text)


def _paths(directory: Path, suffix: str = "") -> tuple[Path, Path]:
    logs = directory / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    names = (re.fullmatch(rf"launch-(\d{{1,9}}){re.escape(suffix)}\.log", log.name) for log in logs.iterdir())
    taken = [int(name[1]) for name in names if name]
    name = f"launch-{max(taken, default=0) + 1}{suffix}"
    return logs / f"{name}.json", logs / f"{name}.log"
