"""Processes of one torchrun: how they are started, what they say while they run, how they end.

Nothing here knows of cells: benchmarks and gates run their ranks with it, too.
"""

import contextlib
import dataclasses
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from liecbench.errors import MachineError
from liecbench.launch.channel import RefusedError, StalledError, receive_events
from liecbench.launch.messages import Event, Notice
from liecbench.launch.multinode import Nodes
from liecbench.launch.supervisor import MASTER_VARIABLE, Orders
from liecbench.network.addresses import HUB_ADDRESS

_HUB_PORT = 29500
_STOP_SECONDS = 10
_OPEN_STORE = "until the run ends, torchrun's rendezvous listens on every interface of this machine"
NAMESPACES_REMEDY = (
    "run as root or allow user namespaces (`liecbench doctor` says what is missing), "
    "in a container add --cap-add SYS_ADMIN"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Torchrun:
    """Ranks that run ``module``: each behind a shaped link of its own, all on one loopback, or on several machines.

    ``python`` is the interpreter of all their processes, ``variables`` are added to their environment.
    """

    module: str
    workers: int
    threads: int
    shaped: bool
    nodes: Nodes | None = None
    python: str = sys.executable
    variables: Mapping[str, str] = field(default_factory=dict)

    def command(self, plan: Path) -> list[str]:
        """The torchrun command line."""
        num_nodes, node_rank = (self.nodes.count, self.nodes.rank) if self.nodes else (1, 0)
        address, port = self._meeting_point()
        torchrun = [
            self.python,
            "-m",
            "torch.distributed.run",
            f"--nnodes={num_nodes}",
            f"--nproc-per-node={self.workers // num_nodes}",
        ]
        meeting = [
            "--rdzv-backend=static",
            f"--node-rank={node_rank}",
            f"--master-addr={address}",
            f"--master-port={port}",
        ]
        return [*torchrun, *meeting, "--max-restarts=0", "-m", self.module, str(plan)]

    @property
    def environment(self) -> dict[str, str]:
        """What is added to the environment; the working directory stays out of the workers' imports."""
        master = {MASTER_VARIABLE: self.nodes.address} if self.nodes else {}
        return {"OMP_NUM_THREADS": str(self.threads), "PYTHONSAFEPATH": "1", **master, **self.variables}

    def _meeting_point(self) -> tuple[str, int]:
        if self.nodes is not None:
            return self.nodes.address, self.nodes.port + 1
        return (HUB_ADDRESS, _HUB_PORT) if self.shaped else ("127.0.0.1", _free_port())

    def describe(self, plan: Path) -> str:
        """The command line as a shell would take it."""
        assignments = [f"{name}={value}" for name, value in self.environment.items()]
        return shlex.join([*assignments, *self.command(plan)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """End of a launch: torchrun's exit status, its log, and the seconds of silence after which it was stopped."""

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
) -> Outcome:
    """Run ranks to their end, blocked on their events; MachineError where the kernel refuses what shaped links need.

    They are ended if no event comes for the seconds that ``stall_timeout`` returns, asked again after every event.
    Whatever is raised while they run (an interruption, too) ends every process first.
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
    """Return the warning for ranks that run without namespaces; raise MachineError if they cannot."""
    if torchrun.shaped:
        message = f"the kernel refuses the network namespaces that shaped links need: {refused}"
        raise MachineError(message, remedy) from None
    return f"the kernel refuses namespaces ({refused}); {_OPEN_STORE}"


class Ranks:
    """The processes of one torchrun, which end with the context.

    ``events`` yields their events as they come. It raises RefusedError if the kernel makes no namespaces, StalledError
    if no event comes for the seconds that ``stall_timeout`` returns.
    """

    def __init__(
        self, torchrun: Torchrun, plan: Path, log: Path, stall_timeout: Callable[[], float] | None, *, isolate: bool
    ) -> None:
        reading, writing = os.pipe()
        orders = Orders(
            parent=os.getpid(),
            events=writing,
            num_links=torchrun.workers if torchrun.shaped else 0,
            command=torchrun.command(plan),
            isolate=isolate,
        )
        self._pipe = os.fdopen(reading, "rb", buffering=0)
        self._log = log
        with contextlib.ExitStack() as unless_started, log.open("wb") as output, os.fdopen(writing, "wb"):
            unless_started.callback(self._pipe.close)
            self._supervisor = subprocess.Popen(
                orders.arguments(torchrun.python),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=(writing,),
                process_group=0,  # a Ctrl-C in the terminal reaches this process alone
                env={**os.environ, **torchrun.environment},
            )
            unless_started.pop_all()
        self.events = receive_events(self._pipe, stall_timeout)

    def outcome(self) -> Outcome:
        """How they ended, once they have."""
        return Outcome(status=self._supervisor.wait(), log=self._log)

    def stop(self) -> None:
        """End every process."""
        self._supervisor.terminate()
        try:
            self._supervisor.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._supervisor.kill()
            self._supervisor.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._supervisor.poll() is None:
            self.stop()
        self._pipe.close()


def log_tail(log: Path, num_lines: int = 20) -> str:
    """The last lines that a launch printed."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-num_lines:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
