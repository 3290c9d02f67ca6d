"""Launch ranks for a run, and record the cells that fail because their launch fails."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from liecbench.config.cell import Cell
from liecbench.config.jobs import Job
from liecbench.launch import launch as launching
from liecbench.launch.launch import Launch
from liecbench.launch.launch_listener import Listener, Progress, StallTimeout
from liecbench.launch.multinode import Leader
from liecbench.launch.pending import Pending, jobs_left
from liecbench.launch.torchrun import LaunchOutcome
from liecbench.results.cells import CellResult
from liecbench.results.directory import ResultsDirectory
from liecbench.results.environment_record import Environment
from liecbench.results.records import End, Start, utc_now


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """Settings of a run.

    Attributes:
        stall_timeout: A function that returns the seconds without an event after which a launch is ended. The argument
            is the id of the current cell, or None before and between cells.
        baseline: The algorithm with which the others are compared. Every timing session times the baseline in turns
            with other methods.
        precision: The wanted half-width of the 95 % interval of a speed-up, as a fraction of the speed-up.
        break_even_rates: How many link rates may be added per method, to narrow the interval of its break-even
            bandwidth.
        leader: The connections to the other machines; None if the run uses only this machine.
        isolate: Whether every training and every timing session has a launch of its own.
        share_gpus: Whether several NCCL ranks may share one GPU.
        trace: Whether each cell records a timeline of a few steps.
    """

    stall_timeout: StallTimeout
    baseline: str = "ddp"
    precision: float = 0.02
    break_even_rates: int = 0
    leader: Leader | None = None
    isolate: bool = False
    share_gpus: bool = False
    trace: bool = False

    def pending(self, cells: Sequence[Cell], done: Mapping[str, CellResult]) -> Pending:
        """Return the trainings and timing sessions that are left of a run.

        Args:
            cells: All cells of the run.
            done: The results in the results directory, by cell id.
        """
        return jobs_left(cells, done, baseline=self.baseline, precision=self.precision)


def run_launch(
    launch: Launch, directory: ResultsDirectory, progress: Progress, settings: RunSettings
) -> tuple[LaunchOutcome, Listener]:
    """Run a launch to its end. Return the launch's exit status and log, and the listener that handled its events."""
    progress.launching(launch)
    listener = Listener(progress, settings.stall_timeout)
    handle, timeout = listener.handle, listener.stall_timeout
    outcome = launching.start(launch, directory.path, handle, settings.leader, timeout, trace=settings.trace)
    return outcome, listener


def failure(outcome: LaunchOutcome, listener: Listener, directory: ResultsDirectory) -> str:
    """Return the reason why a launch died, and cut off the last line of ``records.jsonl`` if it is incomplete.

    Raises LiecbenchError if a disk is full or read-only.
    """
    directory.ledger.truncate_partial_line()
    listener.raise_disk_error(directory.path)
    return listener.reason(outcome)


def attempt(found: Mapping[str, CellResult], job: Job) -> int | None:
    """Return the number of the latest recorded attempt to train or time the cell of ``job``; None if there is none.

    ``found`` maps the id of each recorded cell to the cell's state.
    """
    return found[job.cell.id].attempt if job.cell.id in found else None


def record_failure(job: Job, directory: ResultsDirectory, error: str, *, begun: bool) -> None:
    """Record that the cell of ``job`` failed with ``error``. If not ``begun``, first record the attempt's start."""
    cell = job.cell
    if not begun:
        start = Start(
            cell=cell.id,
            attempt=job.attempt,
            at=utc_now(),
            epochs_done=job.epochs_done,
            spec=cell.spec(),
            # The epochs that earlier attempts trained keep the hashes of their data and code.
            environment=Environment(data_sha256=job.data_sha256, code=dict(job.code) or None),
        )
        directory.ledger.append(start)
    directory.ledger.append(End(cell=cell.id, attempt=job.attempt, status="failed", error=error))
