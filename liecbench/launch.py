"""Launches: cells that share one torchrun; what is run, how it is started, and what it says while it runs.

``Torchrun`` and ``start_torchrun`` know nothing of cells: benchmarks run their ranks with them, too.
"""

import functools
import io
import json
import os
import select
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from liecbench.cell import Cell, Job
from liecbench.errors import MachineError
from liecbench.nodes import Leader, Nodes, orders
from liecbench.supervisor import HUB_ADDRESS, MASTER_VARIABLE, REFUSED_EXIT, Orders

_HUB_PORT = 29500
_STOP_SECONDS = 10
_OPEN_STORE = "until the run ends, torchrun's rendezvous listens on every interface of this machine"
NAMESPACES_REMEDY = (
    "run as root or allow user namespaces (`liecbench doctor` says what is missing), "
    "in a container add --cap-add SYS_ADMIN"
)
REFUSED_REMEDY = (
    f"{NAMESPACES_REMEDY}, or use enforcement: process, which paces the exchange, or link: none, which shapes nothing"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Torchrun:
    """Ranks that run ``module``: each behind a shaped link of its own, all on one loopback, or on several machines."""

    module: str
    workers: int
    threads: int
    shaped: bool
    nodes: Nodes | None = None

    def command(self, plan: Path) -> list[str]:
        """The torchrun command line."""
        num_nodes, node_rank = (self.nodes.count, self.nodes.rank) if self.nodes else (1, 0)
        address, port = self._meeting_point()
        torchrun = [
            sys.executable,
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
        return {"OMP_NUM_THREADS": str(self.threads), "PYTHONSAFEPATH": "1", **master}

    def _meeting_point(self) -> tuple[str, int]:
        if self.nodes is not None:
            return self.nodes.address, self.nodes.port + 1
        return (HUB_ADDRESS, _HUB_PORT) if self.shaped else ("127.0.0.1", _free_port())

    def describe(self, plan: Path) -> str:
        """The command line as a shell would take it."""
        assignments = [f"{name}={value}" for name, value in self.environment.items()]
        return shlex.join([*assignments, *self.command(plan)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Jobs that share one torchrun: same workers, threads, backend and device; rates change between its cells.

    Cells that the kernel does not shape run on the loopback, apart from those that it does: a cell's network does
    not depend on what else is run.
    """

    jobs: tuple[Job, ...]

    @property
    def _first(self) -> Cell:
        return self.jobs[0].cell

    @property
    def workers(self) -> int:
        """World size."""
        return self._first.workers

    @property
    def shaped(self) -> bool:
        """Whether the kernel holds its cells to rates, and so the launch asks for namespaces."""
        return self._first.link.shaped and self._first.enforcement == "kernel"

    @property
    def enforcement(self) -> str:
        """Who holds its cells to their links."""
        return self._first.enforcement

    def torchrun(self, nodes: Nodes | None = None) -> Torchrun:
        """What trains its cells, over ``nodes`` if they are several."""
        return Torchrun(
            module="liecbench.worker",
            workers=self.workers,
            threads=self._first.threads,
            shaped=self.shaped,
            nodes=nodes,
        )

    def describe(self, plan: Path, nodes: Nodes | None = None) -> str:
        """The command line as a shell would take it."""
        return self.torchrun(nodes).describe(plan)

    def plan(self, directory: Path, *, trace: bool) -> dict[str, Any]:
        """What the workers are told."""
        jobs = [
            {
                "cell": job.cell.spec(),
                "attempt": job.attempt,
                "epochs_done": job.epochs_done,
                "trajectory": job.trajectory,
                "data_sha256": job.data_sha256,
            }
            for job in self.jobs
        ]
        paced = self.enforcement == "process" and self._first.link.shaped
        return {"directory": str(directory.resolve()), "paced": paced, "trace": trace, "jobs": jobs}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a launch ended: torchrun's exit status, where its output is, and for how long it was silent if it hung."""

    status: int
    log: Path
    silent_seconds: float | None = None


def group(jobs: Iterable[Job], *, isolate: bool = False) -> list[Launch]:
    """Jobs into launches; both keep their order. To ``isolate`` is to give each job a launch of its own."""
    launches: dict[tuple[object, ...], list[Job]] = {}
    for job in jobs:
        cell = job.cell
        network = (cell.enforcement, cell.link.shaped, cell.link.host)
        alone = cell.id if isolate else None
        key = (cell.workers, cell.threads, cell.backend, cell.device, *network, alone)
        launches.setdefault(key, []).append(job)
    return [Launch(jobs=tuple(jobs)) for jobs in launches.values()]


def start(
    launch: Launch,
    directory: Path,
    on_event: Callable[[dict[str, Any]], None],
    leader: Leader | None = None,
    patience: Callable[[], float] | None = None,
    *,
    trace: bool = False,
) -> Outcome:
    """Run a launch to its end, its plan and its log among the logs of ``directory``; see ``start_torchrun``.

    With a ``leader`` it runs over all of its machines. To ``trace`` is to keep a timeline of a few steps of each cell.
    """
    plan, log = _paths(directory)
    plan.write_text(json.dumps(launch.plan(directory, trace=trace), indent=1))
    torchrun = launch.torchrun(leader.nodes if leader else None)
    if leader is not None:
        leader.tell({"workers": torchrun.workers, "threads": torchrun.threads})
    return start_torchrun(torchrun, plan, log, on_event, refused_remedy=REFUSED_REMEDY, patience=patience)


def follow(nodes: Nodes, directory: Path, say: Callable[[str], None]) -> bool:
    """Launch this machine's ranks whenever the first machine does, until it ends; whether every launch ended well.

    Checkpoints and logs go to ``directory``, which the machines may share.
    """
    well = True
    for number, order in enumerate(orders(nodes), start=1):
        say(f"launch {number}: {order['workers'] // nodes.count} of {order['workers']} workers here")
        plan, log = _paths(directory, suffix=f".node-{nodes.rank}")
        plan.write_text(json.dumps({"directory": str(directory.resolve())}))
        torchrun = Torchrun(
            module="liecbench.worker",
            workers=order["workers"],
            threads=order["threads"],
            shaped=False,
            nodes=nodes,
        )
        outcome = start_torchrun(torchrun, plan, log, lambda event: say(event["reason"]))
        if outcome.status:
            say(f"launch {number} ended with status {outcome.status}, see {outcome.log}")
            well = False
    return well


def start_torchrun(
    torchrun: Torchrun,
    plan: Path,
    log: Path,
    on_event: Callable[[dict[str, Any]], None],
    *,
    refused_remedy: str = NAMESPACES_REMEDY,
    patience: Callable[[], float] | None = None,
) -> Outcome:
    """Run ranks to their end, blocked on their events; MachineError where the kernel refuses what shaped links need.

    They are ended where no event comes for the seconds that ``patience`` gives, asked anew after every event.
    Whatever is raised while they run (an interruption, too) ends every process first.
    """
    run = functools.partial(_run, torchrun, plan, log, on_event, patience)
    outcome, refusal = run(isolate=torchrun.nodes is None)
    if outcome.status == REFUSED_EXIT and not torchrun.shaped:
        on_event({"type": "notice", "text": f"the kernel refuses namespaces ({refusal}); {_OPEN_STORE}"})
        outcome, refusal = run(isolate=False)
    if outcome.status == REFUSED_EXIT:
        message = f"the kernel refuses the network namespaces that shaped links need: {refusal}"
        raise MachineError(message, refused_remedy)
    return outcome


def _run(
    torchrun: Torchrun,
    plan: Path,
    log: Path,
    on_event: Callable[[dict[str, Any]], None],
    patience: Callable[[], float] | None,
    *,
    isolate: bool,
) -> tuple[Outcome, str | None]:
    reading, writing = os.pipe()
    orders = Orders(
        parent=os.getpid(),
        events=writing,
        num_links=torchrun.workers if torchrun.shaped else 0,
        command=torchrun.command(plan),
        isolate=isolate,
    )
    with log.open("wb") as output, os.fdopen(reading, "rb", buffering=0) as events:
        supervisor = subprocess.Popen(
            orders.arguments(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=(writing,),
            process_group=0,  # a Ctrl-C in the terminal reaches this process alone
            env={**os.environ, **torchrun.environment},
        )
        os.close(writing)
        try:
            refusal = _follow(_lines(events, patience), on_event)
            return Outcome(status=supervisor.wait(), log=log), refusal
        except _SilentError as silent:
            _stop(supervisor)
            return Outcome(status=supervisor.returncode, log=log, silent_seconds=silent.seconds), None
        except BaseException:
            _stop(supervisor)
            raise


def log_tail(log: Path, num_lines: int = 20) -> str:
    """The last lines that a launch printed."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-num_lines:])


class _SilentError(Exception):
    """No event came for so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


def _lines(events: io.FileIO, patience: Callable[[], float] | None) -> Iterator[bytes]:
    """Whole lines as they come; what a killed writer left of one is dropped."""
    rest = b""
    while True:
        seconds = patience() if patience else None
        if not select.select([events], [], [], seconds)[0]:
            assert seconds is not None, "only patience ends the waiting"
            raise _SilentError(seconds)
        chunk = events.read(2**16)
        if not chunk:
            return
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


def _follow(events: Iterable[bytes], on_event: Callable[[dict[str, Any]], None]) -> str | None:
    refusal = None
    for line in events:
        try:
            event = json.loads(line)
        except ValueError:
            continue  # a rank was killed within its line, and another's follows it
        if event["type"] == "refused":
            refusal = event["reason"]
        else:
            on_event(event)
    return refusal


def _stop(supervisor: subprocess.Popen[bytes]) -> None:
    supervisor.terminate()
    try:
        supervisor.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        supervisor.kill()
        supervisor.wait()


def _paths(directory: Path, suffix: str = "") -> tuple[Path, Path]:
    logs = directory / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    taken = [int(log.name.split(".")[0].removeprefix("launch-")) for log in logs.glob(f"launch-*{suffix}.log")]
    name = f"launch-{max(taken, default=0) + 1}{suffix}"
    return logs / f"{name}.json", logs / f"{name}.log"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
