"""Launches: cells that share one torchrun; what is run, how it is started, and what it says while it runs.

``Torchrun`` and ``start_torchrun`` know nothing of cells: benchmarks run their ranks with them, too.
"""

import json
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from liecbench.cell import Cell, Job
from liecbench.errors import MachineError
from liecbench.supervisor import HUB_ADDRESS, REFUSED_EXIT, Orders

_HUB_PORT = 29500
_STOP_SECONDS = 10
_OPEN_STORE = "until the run ends, torchrun's rendezvous listens on every interface of this machine"
NAMESPACES_REMEDY = (
    "run as root or allow user namespaces (`liecbench doctor` says what is missing), "
    "in a container add --cap-add SYS_ADMIN"
)
REFUSED_REMEDY = f"{NAMESPACES_REMEDY}, or use link: none, which shapes nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Torchrun:
    """Ranks that run ``module``, each behind a shaped link of its own or all on one loopback."""

    module: str
    workers: int
    threads: int
    shaped: bool

    def command(self, plan: Path) -> list[str]:
        """The torchrun command line."""
        address, port = (HUB_ADDRESS, _HUB_PORT) if self.shaped else ("127.0.0.1", _free_port())
        torchrun = [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--nnodes=1",
            f"--nproc-per-node={self.workers}",
        ]
        meeting = [
            "--rdzv-backend=static",
            "--node-rank=0",
            f"--master-addr={address}",
            f"--master-port={port}",
        ]
        return [*torchrun, *meeting, "--max-restarts=0", "-m", self.module, str(plan)]

    @property
    def environment(self) -> dict[str, str]:
        """What is added to the environment; the working directory stays out of the workers' imports."""
        return {"OMP_NUM_THREADS": str(self.threads), "PYTHONSAFEPATH": "1"}

    def describe(self, plan: Path) -> str:
        """The command line as a shell would take it."""
        assignments = [f"{name}={value}" for name, value in self.environment.items()]
        return shlex.join([*assignments, *self.command(plan)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Jobs that share one torchrun: same workers, threads, backend and device; rates change between its cells.

    Cells whose link is none run on the loopback, and so apart from those that are shaped: a cell's network does not
    depend on what else is run.
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
        """Whether its cells ask for rates, and so the launch for namespaces."""
        return self._first.link.shaped

    @property
    def torchrun(self) -> Torchrun:
        """What trains its cells."""
        return Torchrun(
            module="liecbench.worker", workers=self.workers, threads=self._first.threads, shaped=self.shaped
        )

    def describe(self, plan: Path) -> str:
        """The command line as a shell would take it."""
        return self.torchrun.describe(plan)

    def plan(self, directory: Path) -> dict[str, Any]:
        """What the workers are told."""
        jobs = [{"spec": j.cell.spec(), "attempt": j.attempt, "epochs_done": j.epochs_done} for j in self.jobs]
        return {"directory": str(directory.resolve()), "jobs": jobs}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a launch ended: torchrun's exit status, and where its output is."""

    status: int
    log: Path


def group(jobs: Iterable[Job]) -> list[Launch]:
    """Jobs into launches; both keep their order."""
    launches: dict[tuple[object, ...], list[Job]] = {}
    for job in jobs:
        cell = job.cell
        key = (cell.workers, cell.threads, cell.backend, cell.device, cell.link.shaped)
        launches.setdefault(key, []).append(job)
    return [Launch(jobs=tuple(jobs)) for jobs in launches.values()]


def start(launch: Launch, directory: Path, on_event: Callable[[dict[str, Any]], None]) -> Outcome:
    """Run a launch to its end, its plan and its log among the logs of ``directory``; see ``start_torchrun``."""
    plan, log = _paths(directory)
    plan.write_text(json.dumps(launch.plan(directory), indent=1))
    return start_torchrun(launch.torchrun, plan, log, on_event, refused_remedy=REFUSED_REMEDY)


def start_torchrun(
    torchrun: Torchrun,
    plan: Path,
    log: Path,
    on_event: Callable[[dict[str, Any]], None],
    *,
    refused_remedy: str = NAMESPACES_REMEDY,
) -> Outcome:
    """Run ranks to their end, blocked on their events; MachineError where the kernel refuses what shaped links need.

    Whatever is raised while they run (an interruption, too) ends every process first.
    """
    outcome, refusal = _run(torchrun, plan, log, on_event, isolate=True)
    if outcome.status == REFUSED_EXIT and not torchrun.shaped:
        on_event({"type": "notice", "text": f"the kernel refuses namespaces ({refusal}); {_OPEN_STORE}"})
        outcome, refusal = _run(torchrun, plan, log, on_event, isolate=False)
    if outcome.status == REFUSED_EXIT:
        message = f"the kernel refuses the network namespaces that shaped links need: {refusal}"
        raise MachineError(message, refused_remedy)
    return outcome


def _run(
    torchrun: Torchrun, plan: Path, log: Path, on_event: Callable[[dict[str, Any]], None], *, isolate: bool
) -> tuple[Outcome, str | None]:
    reading, writing = os.pipe()
    orders = Orders(
        parent=os.getpid(),
        events=writing,
        num_links=torchrun.workers if torchrun.shaped else 0,
        command=torchrun.command(plan),
        isolate=isolate,
    )
    with log.open("wb") as output, os.fdopen(reading, encoding="utf-8") as events:
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
            refusal = _follow(events, on_event)
            return Outcome(status=supervisor.wait(), log=log), refusal
        except BaseException:
            _stop(supervisor)
            raise


def log_tail(log: Path, num_lines: int = 20) -> str:
    """The last lines that a launch printed."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-num_lines:])


def _follow(events: Iterable[str], on_event: Callable[[dict[str, Any]], None]) -> str | None:
    refusal = None
    for line in events:
        if not line.endswith("\n"):
            break  # the writer was killed within the line
        event = json.loads(line)
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


def _paths(directory: Path) -> tuple[Path, Path]:
    logs = directory / "logs"
    logs.mkdir(exist_ok=True)
    taken = [int(log.stem.removeprefix("launch-")) for log in logs.glob("launch-*.log")]
    number = max(taken, default=0) + 1
    return logs / f"launch-{number}.json", logs / f"launch-{number}.log"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
