"""Run a scenario's remaining cells (training runs), one launch after the other, and record every failure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from liecbench.config.cell import Cell, Job
from liecbench.errors import LiecbenchError
from liecbench.launch import launch as launching
from liecbench.launch.launch import Launch
from liecbench.launch.messages import DiskError, Event, Heartbeat, Lost, Notice, StepProgress, TimingProgress
from liecbench.launch.multinode import Leader, Nodes
from liecbench.launch.pending import jobs_left
from liecbench.launch.torchrun import LaunchOutcome, log_tail
from liecbench.results.cells import CellResult
from liecbench.results.directory import ResultsDirectory
from liecbench.results.records import CellRecord, End, Epoch, Start, utc_now

# Takes the id of the current cell, or None before and between cells, and returns after how many seconds without an
# event the launch counts as hung.
StallTimeout = Callable[[str | None], float]


class Progress(Protocol):
    """The interface of a listener to the events of ``liecbench run``, such as the progress bar."""

    def launching(self, launch: Launch) -> None:
        """Note that a launch begins."""

    def stepped(self, event: StepProgress | TimingProgress) -> None:
        """Note a step of an epoch, or the mean time of the steps that are timed."""

    def recorded(self, record: CellRecord) -> None:
        """Note a record that a rank has written to the ledger."""

    def noticed(self, text: str) -> None:
        """Note a warning for the user."""

    def failed(self, cell: Cell, error: str) -> None:
        """Note a cell that failed because its launch died."""


def check_nodes(cells: Sequence[Cell], nodes: Nodes) -> None:
    """Raise LiecbenchError if one of ``cells`` cannot run on the machines of ``nodes``."""
    for cell in cells:
        if not cell.link.host:
            message = f"--nodes {nodes.count}: {cell.describe()}: only link: host reaches other machines"
            raise LiecbenchError(message, "leave the cell out with --only link=host")
        if cell.workers % nodes.count:
            message = f"--nodes {nodes.count}: {cell.workers} workers do not divide among them"
            raise LiecbenchError(message, f"give workers in multiples of {nodes.count}")


def check_sharing(cells: Iterable[Cell]) -> None:
    """Raise LiecbenchError if no cell uses NCCL, because --share-gpus would then have no effect."""
    if all(cell.backend != "nccl" for cell in cells):
        message = "--share-gpus: no cell has backend: nccl, and ranks over Gloo share GPUs without it"
        raise LiecbenchError(message, "remove it")


def run_jobs(
    cells: Sequence[Cell],
    jobs: Sequence[Job],
    directory: ResultsDirectory,
    progress: Progress,
    *,
    stall_timeout: StallTimeout,
    leader: Leader | None = None,
    isolate: bool = False,
    share_gpus: bool = False,
    trace: bool = False,
) -> None:
    """Run ``jobs``, which are some of the cells in ``cells``.

    If the timings of other cells are to be composed with the training of a cell, and this training fails, train one of
    these other cells instead.

    Raises:
        LiecbenchError: A disk is full or read-only, or the machine cannot run a launch.
    """
    while jobs:
        launches = launching.group(jobs, isolate=isolate, share_gpus=share_gpus)
        _run_launches(launches, directory, progress, stall_timeout, leader, trace=trace)
        now = directory.snapshot.refresh()
        waiting = {job.cell.id for job in jobs if job.trajectory and _attempt(now, job) != job.attempt}
        jobs = [job for job in jobs_left(cells, now) if job.cell.id in waiting]


def _run_launches(
    launches: list[Launch],
    directory: ResultsDirectory,
    progress: Progress,
    stall_timeout: StallTimeout,
    leader: Leader | None,
    *,
    trace: bool,
) -> None:
    """Run every launch. If a launch dies, record the current cell as failed, and launch the remaining cells again.

    A launch that dies before its first cell has begun is tried once more. Raises LiecbenchError if a disk is full or
    read-only; the current cell then stays unfinished.
    """
    again: Launch | None = None
    while launches:
        launch = launches.pop(0)
        progress.launching(launch)
        listener = _Listener(progress, stall_timeout)
        outcome = launching.start(launch, directory.path, listener.handle, leader, listener.stall_timeout, trace=trace)
        if outcome.status == 0:
            continue
        directory.ledger.truncate_partial_line()
        listener.raise_disk_error(directory.path)
        error = listener.reason(outcome)
        lost, rest = _after_failure(launch, directory)
        if lost and not any(begun for _, begun in lost) and launch is not again:
            again = launch
            progress.noticed(f"{error.partition(chr(10))[0]}; none of its cells had begun: it is tried once more")
            launches.insert(0, launch)
            continue
        for job, begun in lost:
            _record_failure(job, directory, error, begun=begun)
            progress.failed(job.cell, error)
        if not lost:
            progress.noticed(error.partition("\n")[0])
        if rest:
            launches.insert(0, replace(launch, jobs=rest))


class _Listener:
    """Handler of the events of one launch: passes events on, and keeps the ones that explain how the launch ended."""

    def __init__(self, progress: Progress, stall_timeout: StallTimeout) -> None:
        self._progress, self._stall_timeout = progress, stall_timeout
        self._cell: str | None = None
        self._lost: list[str] = []
        self._disk: DiskError | None = None

    def handle(self, event: Event) -> None:
        """Pass an event on to ``Progress``, and remember the current cell, the ranks that ended, and disk errors."""
        match event:
            case Lost():
                self._lost.append(event.reason.partition("\n")[0])
                self._disk = self._disk or event.disk
            case StepProgress() | TimingProgress():
                self._progress.stepped(event)
            case Notice():
                self._progress.noticed(event.text)
            case Start() | Epoch() | End():
                self._cell = None if isinstance(event, End) else event.cell
                self._progress.recorded(event)
            case _:
                assert isinstance(event, Heartbeat), f"no event of a training launch: {event}"

    def stall_timeout(self) -> float:
        """Return how many seconds to wait for the next event while the current cell runs."""
        return self._stall_timeout(self._cell)

    def raise_disk_error(self, directory: Path) -> None:
        """Raise LiecbenchError if a rank ended because its disk is full or read-only."""
        if self._disk is not None:
            message = f"{self._disk.path or directory}: {self._disk.reason}"
            raise LiecbenchError(message, "free disk space and run again: every finished epoch is kept")

    def reason(self, outcome: LaunchOutcome) -> str:
        """Return the reason why a launch failed, and below it the last lines of the launch's log."""
        first = f"; first was {self._lost[0]}" if self._lost else ""
        how = f"ended with status {outcome.status}"
        if outcome.stalled_seconds is not None:
            how = f"was ended: no step for {outcome.stalled_seconds:.0f} s (step_timeout)"
        return f"the launch {how}, see {outcome.log}{first}\n{log_tail(outcome.log)}"


def _after_failure(launch: Launch, directory: ResultsDirectory) -> tuple[list[tuple[Job, bool]], tuple[Job, ...]]:
    """Return the jobs that failed with a launch, as pairs (job, whether its cell had begun), and those to run again."""
    found = directory.snapshot.refresh()
    begun = {job.cell.id for job in launch.jobs if _attempt(found, job) == job.attempt}
    left = [job for job in launch.jobs if job.cell.id not in begun or found[job.cell.id].status == "unfinished"]
    # If no cell had begun, there is no way to tell which cell ended the launch, so that all count as failed.
    lost = [(job, job.cell.id in begun) for job in left if job.cell.id in begun or not begun]
    return lost, tuple(job for job in left if begun and job.cell.id not in begun)


def _attempt(found: Mapping[str, CellResult], job: Job) -> int | None:
    return found[job.cell.id].attempt if job.cell.id in found else None


def _record_failure(job: Job, directory: ResultsDirectory, error: str, *, begun: bool) -> None:
    cell = job.cell
    if not begun:
        start = Start(
            cell=cell.id,
            attempt=job.attempt,
            at=utc_now(),
            epochs_done=job.epochs_done,
            spec=cell.spec(),
            environment={"data_sha256": job.data_sha256} if job.data_sha256 else {},
        )
        directory.ledger.append(start)
    directory.ledger.append(End(cell=cell.id, attempt=job.attempt, status="failed", error=error))
