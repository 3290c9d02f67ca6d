"""Run the processes of one torchrun: start them, receive their events, end them.

This module serves training runs, benchmarks and paired comparisons alike.
"""

import contextlib
import dataclasses
import os
import shlex
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from liecbench.errors import MachineError
from liecbench.launch.channel import RefusedError, StalledError, receive_events
from liecbench.launch.events import Event, Notice
from liecbench.launch.multinode import Nodes
from liecbench.launch.orders import Agent, ForkLaunch
from liecbench.launch.supervisor import MASTER_VARIABLE
from liecbench.launch.template_client import ForkedLaunch, template_of
from liecbench.network.addresses import HUB_ADDRESS

_HUB_PORT = 29500
_STOP_SECONDS = 10
_TAIL_BYTES = 2**16
_OPEN_STORE = "until the run ends, torchrun's rendezvous listens on every interface of this machine"
NAMESPACES_REMEDY = (
    "run as root or allow user namespaces (`liecbench doctor` says what is missing), "
    "in a container add --cap-add SYS_ADMIN"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Torchrun:
    """The settings of a launch, which is one start of torchrun with its ranks.

    Attributes:
        module: module that every rank runs.
        workers: world size.
        threads: OpenMP threads per rank.
        shaped: whether each rank has a shaped link of its own; if false, ranks on one machine use the loopback.
        nodes: the machines to run on; None: this machine alone.
        python: interpreter of all processes.
        variables: environment variables to add.
        imports: modules that the ranks of all launches of this kind need, such as ``liecbench.worker.loop`` for
            trainings. The template, the process that the ranks are forked from, imports them once, when it starts.
        kernels: modules with the CPU kernels of this launch's compressors. Launches differ in them, so the template
            imports them just before it forks the launch.
    """

    module: str
    workers: int
    threads: int
    shaped: bool
    nodes: Nodes | None = None
    python: str = sys.executable
    variables: Mapping[str, str] = field(default_factory=dict)
    imports: tuple[str, ...] = ()
    kernels: tuple[str, ...] = ()

    def agent(self, plan: Path) -> Agent:
        """Return the settings of torchrun's agent, the process that starts the ranks of this machine.

        ``plan`` is the path of the plan's file, which every rank gets as its argument.
        """
        num_nodes, node_rank = (self.nodes.count, self.nodes.rank) if self.nodes else (1, 0)
        address, port = self._meeting_point()
        return Agent(
            module=self.module,
            plan=str(plan),
            num_nodes=num_nodes,
            node_rank=node_rank,
            local_workers=self.workers // num_nodes,
            address=address,
            port=port,
        )

    def command(self, plan: Path) -> list[str]:
        """Return a torchrun command line, as a list of words, that starts this launch's ranks on this machine.

        The command line creates no namespaces and no links, and sets no environment variables (see ``environment``).
        ``plan`` is the path of the plan's file, which every rank gets as its argument.
        """
        agent = self.agent(plan)
        return [
            self.python,
            "-m",
            "torch.distributed.run",
            f"--nnodes={agent.num_nodes}",
            f"--nproc-per-node={agent.local_workers}",
            "--rdzv-backend=static",
            f"--node-rank={agent.node_rank}",
            f"--master-addr={agent.address}",
            f"--master-port={agent.port}",
            "--max-restarts=0",
            "-m",
            agent.module,
            agent.plan,
        ]

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that a launch's processes get in addition to those of the ``liecbench`` command."""
        # PYTHONSAFEPATH keeps the working directory out of the ranks' imports.
        master = {MASTER_VARIABLE: self.nodes.address} if self.nodes else {}
        return {"OMP_NUM_THREADS": str(self.threads), "PYTHONSAFEPATH": "1", **master, **self.variables}

    def prepare(self) -> None:
        """Start the template process, which the ranks are later forked from, and do not wait for its imports."""
        template_of(self.python, self.environment, self.imports)

    def _meeting_point(self) -> tuple[str, int]:
        if self.nodes is not None:
            return self.nodes.address, self.nodes.port + 1
        return (HUB_ADDRESS, _HUB_PORT) if self.shaped else ("127.0.0.1", _free_port())

    def describe(self, plan: Path) -> str:
        """Return a line for a shell: the variables of ``environment``, then the torchrun command line.

        ``plan`` is the path of the plan's file, which every rank gets as its argument.
        """
        # A shell takes a word with a quoted name for a command, not for an assignment.
        assignments = [f"{name}={shlex.quote(value)}" for name, value in self.environment.items()]
        return " ".join([*assignments, shlex.join(self.command(plan))])


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchOutcome:
    """The exit status of a torchrun and the path of its log.

    ``stalled_seconds`` is the time without events after which the ranks were stopped; None if the ranks ended
    by themselves.
    """

    status: int
    log: Path
    stalled_seconds: float | None = None


def start_torchrun(
    torchrun: Torchrun,
    plan: Path,
    log: Path,
    on_event: Callable[[Event], None],
    *,
    refused_remedy: str = NAMESPACES_REMEDY,
    stall_timeout: Callable[[], float] | None = None,
) -> LaunchOutcome:
    """Start ranks, wait until they have ended, and return torchrun's exit status and log.

    If an exception such as an interruption is raised meanwhile, the ranks' processes are ended before it propagates.

    Args:
        torchrun: Settings of the ranks.
        plan: The file that the ranks read their plan from.
        log: The file for the ranks' standard output and standard error.
        on_event: Called with each event.
        refused_remedy: The advice in the error message if the kernel refuses namespaces.
        stall_timeout: Called before every wait for an event; returns how many seconds to wait. If no event comes in
            this time, the ranks are ended. None: wait forever.

    Raises:
        MachineError: The kernel refuses the namespaces that shaped links need.
    """
    isolate = torchrun.nodes is None
    while True:
        with Ranks(torchrun, plan, log, stall_timeout, isolate=isolate) as ranks:
            try:
                for event in ranks.events:
                    on_event(event)
                return ranks.outcome()
            except RefusedError as refused:
                on_event(Notice(text=without_namespaces(torchrun, refused, refused_remedy)))
                isolate = False
            except StalledError as stalled:
                ranks.stop()
                return dataclasses.replace(ranks.outcome(), stalled_seconds=stalled.seconds)


def without_namespaces(torchrun: Torchrun, refused: RefusedError, remedy: str) -> str:
    """Return a warning that the ranks run without namespaces of their own because the kernel refused them.

    Raises MachineError with the advice ``remedy`` if the links are shaped (rate-limited), which needs namespaces.
    """
    if torchrun.shaped:
        message = f"the kernel refuses the network namespaces that shaped links need: {refused}"
        raise MachineError(message, remedy) from None
    return f"the kernel refuses namespaces ({refused}); {_OPEN_STORE}"


class Ranks:
    """The processes of one torchrun. The constructor starts the processes, and leaving the ``with`` block ends them.

    ``events`` yields the events of the ranks as they arrive. The iteration raises RefusedError if the kernel refuses to
    create namespaces or links, and StalledError if no event arrives for ``stall_timeout()`` seconds.
    """

    def __init__(
        self, torchrun: Torchrun, plan: Path, log: Path, stall_timeout: Callable[[], float] | None, *, isolate: bool
    ) -> None:
        template = template_of(torchrun.python, torchrun.environment, torchrun.imports)
        order = ForkLaunch(
            agent=torchrun.agent(plan),
            num_links=torchrun.workers if torchrun.shaped else 0,
            isolate=isolate,
            directory=str(Path.cwd()),
            imports=torchrun.kernels,
        )
        reading, writing = os.pipe()
        self._pipe = os.fdopen(reading, "rb", buffering=0)
        self._log = log
        with contextlib.ExitStack() as unless_started, os.fdopen(writing, "wb"):
            unless_started.callback(self._pipe.close)
            self._launch = ForkedLaunch(template, order, writing, log)
            unless_started.pop_all()
        self.events = receive_events(self._pipe, stall_timeout)

    def outcome(self) -> LaunchOutcome:
        """Wait until the processes have ended, and return their exit status and log."""
        return LaunchOutcome(status=self._launch.wait(), log=self._log)

    def stop(self) -> None:
        """End all processes of the launch."""
        self._launch.stop(_STOP_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._launch.close(_STOP_SECONDS)
        self._pipe.close()


def log_tail(log: Path, num_lines: int = 20) -> str:
    """Return the last ``num_lines`` lines of a launch's log, or fewer if they are very long."""
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-num_lines:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
