"""Measure how long this machine takes to compute a batch and to compress, and how busy its cores are."""

import functools
import os
import time
from collections.abc import Callable
from typing import Final

import psutil

from liecbench.config import workload, workload_sizes
from liecbench.config.cell import Cell
from liecbench.config.choice import Choice
from liecbench.config.factory import make_compressor
from liecbench.config.task import Task
from liecbench.estimate.planned_bytes import WITHOUT_EFFECT
from liecbench.host import cgroups
from liecbench.host.other_load import OtherLoad
from liecbench.profiles.profile_store import known_profile

_SAMPLE_NUMEL: Final = 2**20
# Fewer processes than this are the background of any machine, and the dry run itself.
_BACKGROUND_PROCESSES: Final = 0.5
# The least of several samples leaves out a short burst.
_SAMPLES, _SAMPLE_SECONDS = 3, 0.2


def num_cores() -> int:
    """Return the number of cores that this process may use."""
    return cgroups.num_cpus()


@functools.cache
def other_processes() -> float:
    """Return the number of other processes that compute: the average of the last minute, or the number now if lower.

    If nearly all cores are busy, return the average. Return 0 if the result would be below 0.5, or if the average is
    unknown. If the average is at least 0.5, wait 0.6 s to measure the number now.
    """
    try:
        load = os.getloadavg()[0]
    except OSError:
        return 0.0
    if load < _BACKGROUND_PROCESSES:
        return 0.0
    shares = []
    for _ in range(_SAMPLES):
        now = OtherLoad()
        time.sleep(_SAMPLE_SECONDS)
        shares.append(now.share())
    cores = psutil.cpu_count() or 1
    return processes_now(load, min(shares) * cores, cores)


def processes_now(load_average: float, busy_cores: float, cores: int) -> float:
    """Return the number of processes that compute now, or 0 if the number is below 0.5.

    The number is the smaller of ``load_average``, which also counts what has just ended, and ``busy_cores``. If nearly
    all cores are busy, the number is ``load_average``: several processes may share a core.

    Args:
        load_average: The average number of processes that computed in the last minute.
        busy_cores: The number of cores that other processes use now.
        cores: The number of the machine's cores.
    """
    found = load_average if busy_cores > 0.9 * cores else min(load_average, busy_cores)
    return found if found >= _BACKGROUND_PROCESSES else 0.0


def oversubscription(cell: Cell) -> float:
    """Return workers × threads per worker ÷ cores of this machine; workers share cores if this is above 1."""
    return cell.workers * cell.threads / num_cores()


def slowdown_alone() -> float:
    """Return the estimated factor by which other processes slow one process down: 1 for full speed, 2 for half."""
    return max(1.0, (1 + other_processes()) / num_cores())


def slowdown(cell: Cell) -> float:
    """Return the factor by which a rank computes longer than it would if every thread had a core of its own.

    The threads are those of all ranks of ``cell``. Each other process that computes counts as one more thread. The
    factor is 1 if there are enough cores.
    """
    return max(1.0, oversubscription(cell) + other_processes() / num_cores())


def backward_seconds(cell: Cell) -> float:
    """Return the seconds of a forward and backward pass over one minibatch, when no other rank computes.

    If the task names a profile, the seconds come from the profile, and include clipping and the optimizer. Otherwise
    the passes are measured on this machine's CPU. Return 0 if the profile is unknown, or if the task cannot be built.
    """
    if cell.task.profile is not None:
        profile = known_profile(cell.task.profile)
        return 0.0 if profile is None else profile.compute_seconds
    task = Task.model_validate({**cell.task.model_dump(mode="json"), **WITHOUT_EFFECT, "epochs": 1, "accumulate": 1})
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

    return _best_seconds(work, threads)


def compression_seconds(cell: Cell) -> float:
    """Return the estimated seconds in which a worker compresses and decompresses in a step; 0 without a compressor.

    The estimate is twice the time to compress and decompress a whole gradient on this machine: once for the worker's
    gradient, and once for its share of the server's work.
    """
    if cell.compressor is None:
        return 0.0
    elements = numel(cell.task)
    return 2 * _measure_compression(cell.compressor.model_dump_json(), cell.threads) * elements / _SAMPLE_NUMEL


@functools.cache
def _measure_compression(choice: str, threads: int) -> float:
    import torch

    compressor = make_compressor(Choice.model_validate_json(choice), seed=0)
    vector = torch.randn(_SAMPLE_NUMEL)
    return _best_seconds(lambda: compressor.decompress(compressor.compress(vector)), threads)


def numel(task: Task) -> int:
    """Return the number of trained parameters of a task's model."""
    return sum(shape.numel() for shape in workload_sizes.sizes(task).parameters)


def _best_seconds(work: Callable[[], object], threads: int) -> float:
    """Run ``work`` with ``threads`` threads, once untimed and twice timed; return the seconds of the shorter run.

    With one thread, seconds are CPU time, in which other processes do not count.
    """
    import torch

    clock = time.thread_time if threads == 1 else time.perf_counter
    before, seconds = torch.get_num_threads(), list[float]()
    torch.set_num_threads(threads)
    try:
        for _ in range(3):
            start = clock()
            work()
            seconds.append(clock() - start)
    finally:
        torch.set_num_threads(before)
    return min(seconds[1:])
