"""Run the trainings that a scenario's cells still need, one launch after the other, and record every failure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from liecbench.config.cell import Cell
from liecbench.config.jobs import Job
from liecbench.errors import LiecbenchError
from liecbench.launch import launch as launching
from liecbench.launch.break_even_search import narrow_break_evens
from liecbench.launch.launch import Launch
from liecbench.launch.launch_listener import Progress
from liecbench.launch.multinode import Nodes
from liecbench.launch.recorded_launch import RunSettings, attempt, failure, record_failure, run_launch
from liecbench.launch.session_runner import run_sessions
from liecbench.results.directory import ResultsDirectory


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


def run_jobs(cells: Sequence[Cell], directory: ResultsDirectory, progress: Progress, settings: RunSettings) -> None:
    """Run the trainings that the cells still need, and then the timing sessions.

    A timing session times the steps of cells with ``timing: interleaved``. At the end, further sessions at added link
    rates determine the methods' break-even bandwidths more precisely.
    """
    pending = settings.pending(cells, directory.snapshot.cells)
    launches = launching.group(pending.jobs, isolate=settings.isolate, share_gpus=settings.share_gpus)
    _run_launches(launches, directory, progress, settings)
    first_attempts = {job.cell.id: job.attempt for session in pending.sessions for job in session.jobs}
    run_sessions(cells, directory, progress, settings, first_attempts)
    narrow_break_evens(cells, directory, progress, settings)


def _run_launches(
    launches: list[Launch], directory: ResultsDirectory, progress: Progress, settings: RunSettings
) -> None:
    """Run the launches one after the other. Each launch trains the cells of its jobs.

    If a launch dies while it trains a cell, record the cell as failed, and launch the remaining cells again. If a
    launch dies before any cell has begun, try the launch once more. Raises LiecbenchError if a disk is full or
    read-only; the current cell then stays unfinished.
    """
    again: Launch | None = None
    while launches:
        launch = launches.pop(0)
        outcome, listener = run_launch(launch, directory, progress, settings)
        if outcome.status == 0:
            continue
        error = failure(outcome, listener, directory)
        lost, rest = _after_failure(launch, directory)
        if lost and not any(begun for _, begun in lost) and launch is not again:
            again = launch
            progress.noticed(f"{error.partition(chr(10))[0]}; none of its cells had begun: it is tried once more")
            launches.insert(0, launch)
            continue
        for job, begun in lost:
            record_failure(job, directory, error, begun=begun)
            progress.failed(job.cell, error)
        if not lost:
            progress.noticed(error.partition("\n")[0])
        if rest:
            launches.insert(0, replace(launch, jobs=rest))


def _after_failure(launch: Launch, directory: ResultsDirectory) -> tuple[list[tuple[Job, bool]], tuple[Job, ...]]:
    """Return (failed, again): the jobs that failed because ``launch`` died, and the jobs to launch again.

    ``failed`` has (job, True) for each job whose cell has begun to train and is unfinished. ``again`` has the jobs
    whose cells have not begun. But if no cell has begun, all jobs are in ``failed``, as (job, False).
    """
    found = directory.snapshot.refresh()
    # A rank that cannot use a checkpoint begins a second attempt.
    attempts = {job.cell.id: attempt(found, job) or 0 for job in launch.jobs}
    begun = {job.cell.id for job in launch.jobs if attempts[job.cell.id] >= job.attempt}
    left = [job for job in launch.jobs if job.cell.id not in begun or found[job.cell.id].status == "unfinished"]
    # If no cell had begun, there is no way to tell which cell ended the launch, so that all count as failed.
    lost = [
        (replace(job, attempt=max(job.attempt, attempts[job.cell.id])), job.cell.id in begun)
        for job in left
        if job.cell.id in begun or not begun
    ]
    return lost, tuple(job for job in left if begun and job.cell.id not in begun)
