"""Measure the seconds of a method's own work in one step, on one rank alone.

A method's own work is everything in a step except computing and compression.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Final

import torch.distributed as dist

from liecbench.algorithms.comm.schedule import Schedule
from liecbench.compressors.base import Compressor
from liecbench.compressors.by_name import description
from liecbench.compressors.identity import Identity
from liecbench.config.cell import Cell
from liecbench.config.factory import make_algorithm
from liecbench.config.training_schedule import steps_per_epoch
from liecbench.profiles.profile import CompressorTimes, Duration, MethodTimes
from liecbench.worker.cell_setup import attached_replica
from liecbench.worker.hollow_model import hollow_task
from liecbench.worker.plain_steps import PlainSteps, half_interquartile_range
from liecbench.worker.replica import Replica
from liecbench.worker.step_shares import shares_of
from liecbench.worker.work_clock import PAUSE_SECONDS, process_clock

_NUM_WARM_UP: Final = 2
_MOST_STEPS: Final = 15
_FEWEST_STEPS: Final = 3
# Of one method's steps of one kind.
_MOST_SECONDS: Final = 3.0


class _NoLink:
    """A stand-in for the link of a rank that trains alone and sends nothing."""

    pacer = None

    def shape(self) -> None:
        """Do nothing."""

    def unshape(self) -> None:
        """Do nothing."""

    def wire_bytes(self) -> None:
        """Return None, because no bytes are counted."""
        return

    def rates(self) -> None:
        """Return None, because the link has no rate."""
        return

    def emulator_cpu_seconds(self) -> float:
        """Return 0, because nothing emulates a link."""
        return 0.0


def kind_schedules(cell: Cell, steps: PlainSteps, *, world_size: int) -> dict[str, tuple[int, Schedule]]:
    """Return, for each step kind of a cell's method, the first step of this kind and the messages of this step.

    Args:
        cell: The cell.
        steps: The cell's model, with the training data.
        world_size: The number of ranks.

    Returns:
        A mapping from a step kind's name, such as ``averaging``, to (step number, schedule). The schedule has the
        messages of all ranks in the step.
    """
    algorithm = make_algorithm(cell, len(steps.task.train))
    algorithm.parameter_dtypes = [parameter.dtype for _, parameter in steps.parameters]
    shapes = [parameter.shape for _, parameter in steps.parameters]
    num_steps = steps_per_epoch(cell, algorithm, len(steps.task.train)) * cell.task.epochs
    shares = shares_of(algorithm, num_steps)
    return {
        kind: (share.first, algorithm.schedule(shapes, world_size=world_size, step=share.first))
        for kind, share in shares.items()
    }


def used_compressors(cells: Sequence[Cell], steps: PlainSteps, further: Sequence[Compressor] = ()) -> list[Compressor]:
    """Return the compressors that the methods of ``cells`` use, ``Identity`` and ``further`` ones, without duplicates.

    Some methods choose their compressors by the number of workers. Each cell adds its method's compressors for the
    cell's own number of workers, and for one worker.

    Args:
        cells: The cells. All have the same model.
        steps: The cells' model, with the training data.
        further: Other compressors to return.
    """
    found: dict[str, Compressor] = {}
    # Some methods choose the compressor by the number of ranks, and a method's own work is measured on one rank.
    everywhere = ((cell, world_size) for cell in cells for world_size in (cell.workers, 1))
    calls = [
        call
        for cell, world_size in everywhere
        for _, schedule in kind_schedules(cell, steps, world_size=world_size).values()
        for call in schedule.calls
    ]
    for compressor in (Identity(), *(call.compressor for call in calls), *further):
        found.setdefault(str(description(compressor)), compressor)
    return list(found.values())


def measure_method(
    cell: Cell,
    steps: PlainSteps,
    compressors: Sequence[CompressorTimes],
    group: dist.ProcessGroup,
    heartbeat: Callable[[], None],
) -> list[MethodTimes]:
    """Measure the seconds of a method's own work in one step of each step kind, on this rank alone.

    A method's own work is everything in a step except computing and compression. The seconds of whole steps
    are measured, and the measured seconds of computing are subtracted. The seconds of compression and decompression,
    computed from ``compressors``, are subtracted too. The steps train a hollow model, which has the parameters of the
    cell's model but computes almost nothing.

    Args:
        cell: The cell that uses the method.
        steps: The cell's model, with the training data.
        compressors: The times of all compressors that the method uses.
        group: A process group of this rank alone.
        heartbeat: Called to signal that this rank makes progress.

    Returns:
        One item per step kind.
    """
    plain = PlainSteps.create(cell, hollow_task(steps.task), steps.device, notes_gradients=False)
    task = hollow_task(steps.task)
    replica = attached_replica(cell, task, steps.device, _NoLink(), heartbeat, group=group)
    replica.optimizer.set_learning_rate(0.0)
    try:
        found = []
        for kind, (first, schedule) in kind_schedules(cell, steps, world_size=1).items():
            beyond = _beyond_computing(replica, plain, first)
            found.append(
                MethodTimes(
                    algorithm=cell.algorithm.model_dump(),
                    compressor=cell.compressor.model_dump() if cell.compressor else None,
                    kind=kind,
                    local=max(0.0, beyond.median - _call_seconds(schedule, compressors)),
                    spread=beyond.spread,
                )
            )
        return found
    finally:
        replica.close()


def _beyond_computing(replica: Replica, steps: PlainSteps, first: int) -> Duration:
    """Return the seconds that a step of ``replica`` takes besides computing: median and spread of several trials.

    Computing is the forward and backward passes of all minibatches of a step, clipping and the optimizer. Each trial
    times step number ``first`` of ``replica``, and subtracts the seconds of computing, measured with ``steps``.
    """
    whole, plain = list[float](), list[float]()
    for _ in range(_NUM_WARM_UP):
        _step_seconds(replica, first)
    until = time.monotonic() + _MOST_SECONDS
    while len(whole) < _FEWEST_STEPS or (len(whole) < _MOST_STEPS and time.monotonic() < until):
        whole.append(_step_seconds(replica, first))
        step = steps.step()
        passes = replica.batches.per_step
        plain.append(passes * (step.forward + step.backward) + step.clip + step.optimizer)
        replica.heartbeat()
    differences = [seconds - alone for seconds, alone in zip(whole, plain, strict=True)]
    # A method that takes almost no time may seem to take less than none.
    return Duration(median=max(0.0, statistics.median(differences)), spread=half_interquartile_range(differences))


def _step_seconds(replica: Replica, number: int) -> float:
    """Pause, train step number ``number`` of the training, and return the seconds of the step without the pause."""
    replica.algorithm.synchronize()
    if replica.algorithm.step != number:
        replica.algorithm.set_step(number)
    time.sleep(PAUSE_SECONDS)
    batches = replica.batches
    minibatches = batches.minibatches(batches.of_epoch(0)[0], batches.augmentation_rng(0))
    clock, found = process_clock(replica.device), list[float]()
    start = clock.timestamp()
    replica.optimizer.zero_grad()
    replica.backward(minibatches)
    replica.optimizer.step()
    replica.algorithm.synchronize()
    clock.record(start, clock.timestamp(), lambda begin, end: found.append(end - begin))
    clock.synchronize()
    return found[0]


def _call_seconds(schedule: Schedule, compressors: Sequence[CompressorTimes]) -> float:
    """Return the seconds of all compressions and decompressions in one step of a training with one rank.

    Args:
        schedule: The pushes, pulls and gathers of the step, for a world size of 1.
        compressors: The times of all compressors that the step uses.
    """
    total = 0.0
    for call in schedule.calls:
        wanted = description(call.compressor)
        times = next(times for times in compressors if times.compressor == wanted)
        second = times.accumulate if call.direction == "push" else times.decompress
        total += times.compress.seconds(call.numel) + second.seconds(call.numel)
    return total
