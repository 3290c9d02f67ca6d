"""Estimate the seconds of a run before it begins, from the links' rates and this machine's speed.

A run trains cells (one configuration with one seed each), and times methods in timing sessions.
"""

from collections.abc import Callable, Mapping
from typing import Final

from liecbench.config import workload_sizes
from liecbench.config.cell import Cell
from liecbench.config.factory import make_algorithm
from liecbench.config.jobs import Job
from liecbench.config.training_schedule import minibatches_per_step
from liecbench.estimate.machine_speed import backward_seconds, compression_seconds, num_cores, slowdown, slowdown_alone
from liecbench.estimate.planned_bytes import StepTraffic, traffic
from liecbench.estimate.wire_time import wire_seconds

_MIN_STALL_SECONDS: Final = 300.0
_MAX_STALL_SECONDS: Final = 86400.0
# Seconds, measured on 2 cores: to start a launch and each of its workers, to set up a cell, and to measure a link.
_LAUNCH_SECONDS, _WORKER_SECONDS, CELL_SECONDS, LINK_SECONDS = 2.0, 0.1, 0.2, 1.5
# Fitted to the trainings of seven bundled scenarios on 2 cores, with 2, 4 and 8 workers: the seconds of a step without
# messages beyond its passes, the CPU seconds per message, and the factor by which passes take longer in a training than
# when they are repeated with warm caches, optimizer included. The trainings of six other scenarios, four with a
# server at the root, took 0.86 to 1.2 times their estimate, and a method with a message per tensor 1.1 times.
_STEP_SECONDS, _MESSAGE_SECONDS, _PASSES_FACTOR = 3e-3, 5.5e-4, 1.3


def stall_timeout(cells: Mapping[str, Cell], step_timeout: float | None) -> Callable[[str | None], float]:
    """Return a function ``limit(cell_id)``, which returns the seconds without an event that count as a stall.

    The events are those of the ranks of a launch (one torchrun). ``cell_id`` is the id of the cell that is trained now,
    or None before and between cells.

    - While a cell is trained, the limit is ``step_timeout``. If ``step_timeout`` is None, the limit is 300 s plus ten
      times the seconds that the links need for the cell's longest step, but at most one day.
    - Before and between cells, the limit is 300 s, or ``step_timeout`` if ``step_timeout`` is longer.

    Args:
        cells: The cells by id.
        step_timeout: The scenario's ``step_timeout`` in seconds; None if the scenario does not set it.
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
    return slowdown_alone() * _LAUNCH_SECONDS + _WORKER_SECONDS * workers / num_cores()


def job_seconds(job: Job, *, link_changes: bool) -> float:
    """Return the estimated seconds of a job, which trains one cell: set-up, and all remaining steps and evaluations.

    On a GPU, only the set-up and the time of the links are included.

    Args:
        job: The job.
        link_changes: True for the first job of a launch, and for a job whose link differs from the previous job's link.
            The set-up then includes the time to measure the link, if the link has a rate limit.
    """
    cell = job.cell
    epochs_left = cell.task.epochs - job.epochs_done
    other_seconds = slowdown(cell) * CELL_SECONDS + (LINK_SECONDS if link_changes and cell.link.shaped else 0.0)
    seconds = sum(kind.count * step_seconds(cell, kind) for kind in traffic(cell).values())
    return other_seconds + epochs_left * (_evaluation_seconds(cell) + seconds / cell.task.epochs)


def step_seconds(cell: Cell, kind: StepTraffic) -> float:
    """Return the estimated seconds of one step of the given kind.

    The estimate includes computing, compression, overhead, and the time that the links need. If the cell runs on a GPU,
    the estimate includes only the time that the links need.

    Args:
        cell: The cell to which the step belongs.
        kind: The number of steps of this kind, and the messages of one of them.
    """
    if cell.device == "cuda":
        return wire_seconds(cell, kind)
    compression = compression_seconds(cell) if any(map(any, kind.ranks)) else 0.0
    arithmetic = compute_seconds(cell) + slowdown(cell) * (compression + _STEP_SECONDS)
    return arithmetic + kind.num_messages * _MESSAGE_SECONDS / num_cores() + wire_seconds(cell, kind)


def compute_seconds(cell: Cell) -> float:
    """Return the estimated compute seconds of a step, the optimizer included.

    Return 0 on a GPU, because the time that a GPU computes is left out of the estimate. Workers that compute are slower
    if they share cores. Workers that replay a profile sleep, and need no cores.
    """
    if cell.device == "cuda":
        return 0.0
    slower = slowdown(cell) * _PASSES_FACTOR if cell.compute == "measured" else 1.0
    return slower * minibatches_per_step(cell, make_algorithm(cell)) * backward_seconds(cell)


def _evaluation_seconds(cell: Cell) -> float:
    """Return the estimated seconds in which a worker evaluates its share of the test samples.

    Return 0 on a GPU, because the time that a GPU computes is left out of the estimate.
    """
    if cell.device == "cuda":
        return 0.0
    batches = workload_sizes.sizes(cell.task).num_test_samples / cell.task.batch_size / cell.workers
    # A forward pass takes about a third of the time of a forward and backward pass.
    return slowdown(cell) * batches * backward_seconds(cell) / 3
