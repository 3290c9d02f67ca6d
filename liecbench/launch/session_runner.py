"""Run timing sessions, one launch after the other. If one method of a session fails, the others are still timed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from liecbench.config.cell import Cell
from liecbench.config.jobs import Job
from liecbench.launch import launch as launching
from liecbench.launch.launch import Launch
from liecbench.launch.launch_listener import Progress
from liecbench.launch.pending import Settled, settled
from liecbench.launch.recorded_launch import RunSettings, attempt, failure, record_failure, run_launch
from liecbench.results.cells import CellResult
from liecbench.results.directory import ResultsDirectory
from liecbench.results.records import CellRecord, End, Start, utc_now

_MAX_ATTEMPTS: Final = 50


def run_sessions(
    cells: Sequence[Cell],
    directory: ResultsDirectory,
    progress: Progress,
    settings: RunSettings,
    first_attempts: dict[str, int],
) -> None:
    """Run all timing sessions. In a session, several methods take turns to be timed.

    Sessions time the cells with ``timing: interleaved``. The losses of these cells come from separate trainings, which
    must have ended before the call.

    Args:
        cells: All cells of the run.
        directory: The results directory.
        progress: Listener to events.
        settings: The run's settings.
        first_attempts: Maps a cell's id to the number of the cell's first attempt in this run; the call adds missing
            cells. Attempts with lower numbers belong to earlier runs. Once an attempt of this run has ended, for
            example with an error, the cell is not timed again.
    """
    again = True
    while launches := _session_launches(cells, directory, progress, settings, first_attempts):
        for launch in launches:
            again = _run_sessions(launch, directory, progress, settings, again=again)


def _session_launches(
    cells: Sequence[Cell],
    directory: ResultsDirectory,
    progress: Progress,
    settings: RunSettings,
    first_attempts: dict[str, int],
) -> list[Launch]:
    """Record the final status of cells that need no timing session, and return the launches that time the other cells.

    A cell needs no timing session if the training that gives its losses failed or diverged. It also needs none if its
    step times are known precisely enough from an earlier session, which timed a cell with another seed, for example.
    A cell that has failed in this run is not timed again.

    The arguments are those of ``run_sessions``.
    """
    for end in settled(cells, directory.snapshot.refresh(), precision=settings.precision):
        first_attempts.setdefault(end.job.cell.id, end.job.attempt)
        if end.job.attempt == first_attempts[end.job.cell.id]:
            _record_settled(end, directory, progress)
    now = directory.snapshot.refresh()
    sessions = []
    for session in settings.pending(cells, now).sessions:
        contestants = []
        for contestant in session.contestants:
            jobs = tuple(job for job in contestant.jobs if _may_run(job, now, first_attempts))
            if jobs or not contestant.jobs:
                contestants.append(replace(contestant, jobs=jobs))
        if any(contestant.jobs for contestant in contestants):
            sessions.append(replace(session, contestants=tuple(contestants)))
    return launching.group_sessions(sessions, isolate=settings.isolate, share_gpus=settings.share_gpus)


def _may_run(job: Job, now: Mapping[str, CellResult], first_attempts: dict[str, int]) -> bool:
    """Return True if a session may time the job's cell now.

    Return False if the training that gives the cell's losses has not completed. Also return False if the cell has
    ended in this run, for example with an error, or was left unfinished too often.

    Args:
        job: The job.
        now: Maps a cell's id to the cell's state.
        first_attempts: Maps a cell's id to the number of the cell's first attempt in this run. The job's cell is added
            if it is missing.
    """
    found = now.get(job.cell.id)
    if job.cell.is_trained:
        trained = now.get(job.cell.trajectory.id)
        if trained is None or trained.status != "completed":
            return False
    first = first_attempts.setdefault(job.cell.id, job.attempt)
    if found is None or found.attempt < first:
        return True
    # The session died in another contestant's turn. Every time it dies one contestant fails, so it ends.
    return found.status == "unfinished" and found.attempt < first + _MAX_ATTEMPTS


def _record_settled(end: Settled, directory: ResultsDirectory, progress: Progress) -> None:
    cell, attempt = end.job.cell, end.job.attempt
    records: tuple[CellRecord, ...] = (
        Start(
            cell=cell.id,
            attempt=attempt,
            at=utc_now(),
            epochs_done=0,
            spec=cell.spec(),
            environment=end.environment,
        ),
        End(cell=cell.id, attempt=attempt, status=end.status, error=end.error),
    )
    for record in records:
        directory.ledger.append(record)
        progress.recorded(record)


def _run_sessions(
    launch: Launch, directory: ResultsDirectory, progress: Progress, settings: RunSettings, *, again: bool
) -> bool:
    """Run the timing sessions of a launch. If the launch dies, record failures of jobs.

    Once in a run, a launch that dies before it times any method is forgiven: no failure is recorded, and the caller
    starts the sessions once more. If any other launch dies, a failure is recorded for each job of ``_lost`` that has
    not ended.

    Args:
        launch: The launch.
        directory: The results directory.
        progress: Listener to events.
        settings: The run's settings.
        again: True if no earlier launch of the run was forgiven.

    Returns:
        The value of ``again`` for the next call: True if neither this launch nor an earlier one was forgiven.
    """
    outcome, listener = run_launch(launch, directory, progress, settings)
    if outcome.status == 0:
        return again
    error = failure(outcome, listener, directory)
    now = directory.snapshot.refresh()
    lost = [
        job
        for job in _lost(launch, listener.turn)
        if attempt(now, job) != job.attempt or now[job.cell.id].status == "unfinished"
    ]
    if listener.turn is None and again:
        progress.noticed(f"{error.partition(chr(10))[0]}; no contestant had its turn: it is tried once more")
        return False
    for job in lost:
        record_failure(job, directory, error, begun=attempt(now, job) == job.attempt)
        progress.failed(job.cell, error)
    return again


def _lost(launch: Launch, turn: str | None) -> list[Job]:
    """Return the jobs that fail because a launch of timing sessions died.

    If ``turn`` is None, return all jobs of the launch. Otherwise, return the jobs of the method that was timed last. If
    this method has no jobs, return all jobs of the session that was timing it.

    Args:
        launch: The launch that died.
        turn: The id of the cell of the method that was timed last; None if the launch died before it timed a method.
    """
    if turn is None:
        return [job for session in launch.sessions for job in session.jobs]
    session, contestant = next(
        (session, contestant)
        for session in launch.sessions
        for contestant in session.contestants
        if contestant.cell.id == turn
    )
    # A method without jobs was timed by an earlier session. Every further session would need it, too, and could die.
    return list(contestant.jobs or session.jobs)
