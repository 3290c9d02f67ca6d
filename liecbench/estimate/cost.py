"""Estimate the seconds of a run before it begins, from the links' rates and this machine's speed.

A run trains cells (one configuration with one seed each), and times methods in timing sessions.
"""

import functools
import time
from collections.abc import Callable, Mapping
from typing import Final

from liecbench.config import workload, workload_sizes
from liecbench.config.cell import Cell
from liecbench.config.choice import Choice
from liecbench.config.factory import make_algorithm, make_compressor
from liecbench.config.jobs import Job, Session
from liecbench.config.task import Task
from liecbench.estimate.planned_bytes import WITHOUT_EFFECT, StepTraffic, traffic
from liecbench.estimate.wire_time import wire_seconds
from liecbench.host import cgroups
from liecbench.profiles.profile_store import known_profile
from liecbench.worker.session_rounds import (
    COMPUTE_SECONDS,
    CONTESTANT_SECONDS,
    MIN_ROUNDS,
    PLACEMENT_ROUNDS,
    burst_steps,
)

_MIN_STALL_SECONDS: Final = 300.0
_MAX_STALL_SECONDS: Final = 86400.0
# Seconds, measured on 2 cores: to start a launch and each of its workers, to set up a cell, to measure a link, and for
# DDP's overhead per step.
_LAUNCH_SECONDS, _WORKER_SECONDS, _CELL_SECONDS, _LINK_SECONDS, _STEP_SECONDS = 2.0, 0.1, 0.2, 1.5, 2e-3
# CPU seconds per message, measured with 8 and 16 workers on 2 cores. In a step, every worker sends two messages to each
# other worker.
_MESSAGE_SECONDS: Final = 2.5e-4
# The number of rounds that a timing session usually takes until its speed-ups are precise enough.
_USUAL_ROUNDS: Final = 30
_SAMPLE_NUMEL: Final = 2**20


def stall_timeout(cells: Mapping[str, Cell], step_timeout: float | None) -> Callable[[str | None], float]:
    """Return a function that gives a time limit in seconds.

    A launch (one torchrun) counts as stalled if its ranks send no event for this time.

    Args:
        cells: The cells by id.
        step_timeout: The scenario's limit in seconds; None for a limit that grows with the links' time for a step.

    Returns:
        A function whose argument is the id of the cell that is trained now, or None before and between cells.
    """

    def seconds(cell_id: str | None) -> float:
        if cell_id is None:
            return max(_MIN_STALL_SECONDS, step_timeout or 0.0)
        if step_timeout is not None:
            return step_timeout
        cell = cells[cell_id]
        longest = max(wire_seconds(cell, kind) for kind in traffic(cell).values())
        return min(_MIN_STALL_SECONDS + 10 * longest, _MAX_STALL_SECONDS)

    return seconds


def launch_seconds(workers: int) -> float:
    """Return the estimated seconds until the workers of a launch (one torchrun) have joined their group."""
    return _LAUNCH_SECONDS + _WORKER_SECONDS * workers / _num_cores()


def job_seconds(job: Job, *, link_changes: bool) -> float:
    """Return the estimated seconds of a job, which trains one cell: set-up, training steps and evaluations.

    The time that a GPU computes is left out, because this machine may have no GPU, or a busy one.

    Args:
        job: The job.
        link_changes: True if the launch's previous job had another link, so that the ranks must measure the link first.
    """
    cell = job.cell
    epochs_left = cell.task.epochs - job.epochs_done
    other_seconds = _slowdown(cell) * _CELL_SECONDS + (_LINK_SECONDS if link_changes and cell.link.shaped else 0.0)
    seconds = sum(kind.count * _step_seconds(cell, kind) for kind in traffic(cell).values())
    return other_seconds + epochs_left * (_evaluation_seconds(cell) + seconds / cell.task.epochs)


def session_rounds(session: Session) -> int:
    """Return the estimated number of rounds of a timing session; in a round, each method is timed once."""
    limit = CONTESTANT_SECONDS * len(session.contestants)
    return max(MIN_ROUNDS, min(_USUAL_ROUNDS, int(limit / _round_seconds(session))))


def session_seconds(session: Session) -> float:
    """Return the estimated seconds of a timing session: to measure the link, then to time all methods in rounds."""
    other_seconds = _LINK_SECONDS if session.cell.link.shaped else 0.0
    return other_seconds + session_rounds(session) * _round_seconds(session)


def session_limit(session: Session) -> float:
    """Return the time limit of a timing session in seconds, which grows with the number of methods.

    A session on very slow links may take longer than the limit, because it has a minimum number of rounds.
    """
    return (_LINK_SECONDS if session.cell.link.shaped else 0.0) + CONTESTANT_SECONDS * len(session.contestants)


def burst_lengths(cell: Cell) -> dict[str, int]:
    """Return, by step kind of the cell, how many consecutive steps a timing session times in one burst."""
    return {name: burst_steps(_step_seconds(cell, kind)) for name, kind in traffic(cell).items()}


def _round_seconds(session: Session) -> float:
    """Return the estimated seconds of a round: to time every method once, and to measure computing without exchange."""
    alone = {_compute_seconds(contestant.cell) for contestant in session.contestants}
    turns = sum(_turn_seconds(contestant.cell) for contestant in session.contestants)
    return turns + sum(max(COMPUTE_SECONDS, seconds) for seconds in alone)


def _turn_seconds(cell: Cell) -> float:
    """Return the estimated seconds that a timing session takes in one round for a cell's method.

    These are the seconds of a few consecutive steps of each step kind, and a share of the time to create the model and
    the algorithm again, which happens every few rounds.
    """
    lengths = burst_lengths(cell)
    bursts = sum((lengths[name] + 1) * _step_seconds(cell, kind) for name, kind in traffic(cell).items())
    return bursts + _slowdown(cell) * _CELL_SECONDS / PLACEMENT_ROUNDS


def _step_seconds(cell: Cell, kind: StepTraffic) -> float:
    """Return the estimated seconds of a step: computing and compression, plus the links' time, without overlap.

    Workers that share this machine's cores compute more slowly. On a GPU, only the links' time counts.
    """
    if cell.device == "cuda":
        return wire_seconds(cell, kind)
    compression = _compression_seconds(cell) if any(map(any, kind.ranks)) else 0.0
    arithmetic = _compute_seconds(cell) + _slowdown(cell) * (compression + _STEP_SECONDS)
    messages = 2 * cell.workers * (cell.workers - 1) if any(map(any, kind.ranks)) else 0
    return arithmetic + messages * _MESSAGE_SECONDS / _num_cores() + wire_seconds(cell, kind)


def _compute_seconds(cell: Cell) -> float:
    """Return the estimated seconds that a step computes, on workers that share cores; 0 on a GPU.

    Workers that replay a profile sleep, and need no cores of their own.
    """
    if cell.device == "cuda":
        return 0.0
    slowdown = _slowdown(cell) if cell.compute == "measured" else 1.0
    return slowdown * make_algorithm(cell).batches_per_step * _backward_seconds(cell)


def _evaluation_seconds(cell: Cell) -> float:
    """Return the estimated seconds of a worker's part of an evaluation; 0 on a GPU.

    A forward pass takes about a third of the time of a forward and backward pass.
    """
    if cell.device == "cuda":
        return 0.0
    batches = workload_sizes.sizes(cell.task).num_test_samples / cell.task.batch_size / cell.workers
    return _slowdown(cell) * batches * _backward_seconds(cell) / 3


def oversubscription(cell: Cell) -> float:
    """Return workers × threads per worker ÷ cores of this machine; workers share cores if this is above 1."""
    return cell.workers * cell.threads / _num_cores()


def _slowdown(cell: Cell) -> float:
    """Return the factor by which workers that share cores compute more slowly than one worker alone."""
    return max(1.0, oversubscription(cell))


def _num_cores() -> int:
    return cgroups.num_cpus()


def _backward_seconds(cell: Cell) -> float:
    if cell.task.profile is not None:
        profile = known_profile(cell.task.profile)
        return 0.0 if profile is None else profile.compute_seconds
    task = cell.task.model_copy(update={"epochs": 1, **WITHOUT_EFFECT})
    return _measure_backward(task.model_dump_json(), cell.threads)


@functools.cache
def _measure_backward(task: str, threads: int) -> float:
    """Measure the seconds of a forward and backward pass over one batch with ``threads`` threads.

    ``task`` is a ``Task`` as JSON. Return 0 if the task cannot be built.
    """
    import numpy as np
    import torch

    parsed = Task.model_validate_json(task)
    try:
        made = workload.build(parsed)
    except workload.WorkloadError:
        return 0.0  # the task is too large for this machine, for example; the worker will report it
    inputs, labels = made.train.batch(torch.arange(parsed.batch_size), np.random.default_rng(0))

    def work() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=parsed.precision == "bf16"):
            made.loss(made.model(inputs), labels).backward()

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return _best_seconds(work)
    finally:
        torch.set_num_threads(before)


def _compression_seconds(cell: Cell) -> float:
    """Return the estimated seconds in which a worker compresses and decompresses in a step; 0 without a compressor.

    The estimate is twice the time to compress and decompress a whole gradient on this machine: once for the worker's
    gradient, and once for its share of the server's work.
    """
    if cell.compressor is None:
        return 0.0
    numel = _numel(cell.task.model_dump_json())
    return 2 * _measure_compression(cell.compressor.model_dump_json()) * numel / _SAMPLE_NUMEL


@functools.cache
def _measure_compression(choice: str) -> float:
    import torch

    compressor = make_compressor(Choice.model_validate_json(choice), seed=0)
    vector = torch.randn(_SAMPLE_NUMEL)
    return _best_seconds(lambda: compressor.decompress(compressor.compress(vector)))


@functools.cache
def _numel(task: str) -> int:
    return sum(shape.numel() for shape in workload_sizes.sizes(Task.model_validate_json(task)).parameters)


def _best_seconds(work: Callable[[], object]) -> float:
    """Run ``work`` once untimed and twice timed, and return the seconds of the shorter timed run."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])
