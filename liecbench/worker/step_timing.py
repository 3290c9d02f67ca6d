"""Steps outside a trajectory: timed by kind or in bursts, or run once to warm up a GPU.

Timing steps changes a replica's state, so that the replica cannot train a trajectory afterwards. Only ``rehearse``
restores the state.
"""

import copy
import time

import torch.distributed as dist

from liecbench.worker.device import release_memory
from liecbench.worker.rank_measurement import RankMeasurement
from liecbench.worker.replica import Replica
from liecbench.worker.step_clock import StepClock


def start_clock(replica: Replica) -> StepClock:
    """Start a clock on every rank at the same time. Collective."""
    clock = StepClock(replica.algorithm, replica.link)
    dist.barrier()  # no peer sends before every rank has read its counters
    clock.restart_times()
    return clock


def rehearse(replica: Replica) -> None:
    """Train a step of each kind to compile GPU kernels and open NCCL's connections; then undo the steps. Collective."""
    before = copy.deepcopy(replica.state_dict())
    kinds = replica.step_kinds
    for kind in dict.fromkeys(kinds):
        time_steps(replica, kinds.index(kind), 0)
    replica.optimizer.zero_grad()
    replica.load_state_dict(before)
    del before
    release_memory(replica.device)


def time_steps(replica: Replica, step: int, num_steps: int) -> RankMeasurement:
    """Train one untimed step and ``num_steps`` timed ones, each as if it were step number ``step``. Collective.

    The link must be shaped for the times to mean anything.
    """
    batches, rng = replica.batches.of_epoch(0), replica.batches.augmentation_rng(0)
    clock = start_clock(replica)
    for number in range(num_steps + 1):
        replica.algorithm.set_step(step)
        replica.step(batches[number % len(batches)], rng, clock)
        replica.heartbeat()
        if number == 0:
            clock.restart_times()  # the first step uses the full token bucket of an idle link
    return clock.read()


def time_burst(replica: Replica, first: int, num_steps: int) -> tuple[RankMeasurement, float | None]:
    """Train step number ``first``, untimed, and the next ``num_steps`` steps, timed. Collective.

    The link must be shaped for the times to mean anything.
    Steps past the last epoch keep the last epoch's learning rate.

    Args:
        replica: The replica.
        first: Number of the untimed step.
        num_steps: Number of timed steps.

    Returns:
        The measurement, and the CPU seconds of this thread in the timed steps; None instead of these on a GPU.
    """
    steps_per_epoch, numbers = replica.steps_per_epoch, range(first, first + num_steps + 1)
    batches = {epoch: replica.batches.of_epoch(epoch) for epoch in {number // steps_per_epoch for number in numbers}}
    rng = replica.batches.augmentation_rng(first)
    clock = start_clock(replica)
    began = time.thread_time()
    for number in numbers:
        epoch, step = divmod(number, steps_per_epoch)
        replica.set_learning_rate(min(epoch, replica.cell.task.epochs - 1))
        replica.step(batches[epoch][step], rng, clock)
        replica.heartbeat()
        if number == first:
            clock.restart_times()
            began = time.thread_time()
    thread_seconds = time.thread_time() - began
    return clock.read(), thread_seconds if replica.device.type == "cpu" else None
