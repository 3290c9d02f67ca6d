"""Steps outside a trajectory: trained in timed bursts, or once to warm up a GPU.

Timing sessions of sweeps, paired comparisons and ``rehearse`` all train their steps with ``time_burst``. Timing steps
changes a replica's state, so that the replica cannot train a trajectory afterwards. Only ``rehearse`` restores it.
"""

import copy
import time
from dataclasses import dataclass

import torch.distributed as dist

from liecbench.worker.device import release_memory
from liecbench.worker.rank_measurement import RankMeasurement, check_wire_bytes
from liecbench.worker.replica import Replica
from liecbench.worker.step_clock import StepClock
from liecbench.worker.timeline import Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """The timed steps of one burst, as every rank measured them.

    Attributes:
        ranks: The measurement of each rank, all of equally many steps.
        thread_seconds: The CPU seconds of each rank's training thread in the timed steps; None on a GPU.
    """

    ranks: list[RankMeasurement]
    thread_seconds: list[float | None]

    @property
    def num_steps(self) -> int:
        """The number of timed steps."""
        return len(self.ranks[0].step_seconds)

    @property
    def slowest(self) -> RankMeasurement:
        """The measurement of the rank whose steps take longest in total."""
        return max(self.ranks, key=lambda rank: rank.train_seconds)

    @property
    def step_seconds(self) -> list[float]:
        """The seconds of each timed step on the rank that is slowest in that step."""
        return [max(seconds) for seconds in zip(*(rank.step_seconds for rank in self.ranks), strict=True)]


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
        time_burst(replica, kinds.index(kind), 0, repeat=True)
    replica.optimizer.zero_grad()
    replica.load_state_dict(before)
    del before
    release_memory(replica.device)


def time_burst(
    replica: Replica, first: int, num_steps: int, *, repeat: bool = False, timeline: Timeline | None = None
) -> Burst:
    """Train step number ``first``, untimed, and the next ``num_steps`` steps, timed. Collective.

    The link must be shaped for the times to mean anything. The first step uses the full token bucket of an idle link.
    Steps past the last epoch keep the last epoch's learning rate.

    Args:
        replica: The replica.
        first: Number of the untimed step.
        num_steps: Number of timed steps.
        repeat: True if every step is to be of the kind of step ``first``, as if it were that step.
        timeline: If given, records a timeline of its steps.

    Returns:
        The measurements of all ranks, equal on every rank.

    Raises:
        LinkError: If a network interface carried less than the payload.
    """
    steps_per_epoch, numbers = replica.steps_per_epoch, range(first, first + num_steps + 1)
    batches = {epoch: replica.batches.of_epoch(epoch) for epoch in {number // steps_per_epoch for number in numbers}}
    rng = replica.batches.augmentation_rng(first)
    clock = start_clock(replica)
    began = time.thread_time()
    for number in numbers:
        epoch, step = divmod(number, steps_per_epoch)
        if (wanted := first if repeat else number) != replica.algorithm.step:
            replica.algorithm.set_step(wanted)
        replica.set_learning_rate(min(epoch, replica.cell.task.epochs - 1))
        if timeline is not None:
            timeline.step_begins(number)
        replica.step(batches[epoch][step], rng, clock)
        if timeline is not None:
            timeline.step_ended(number)
        replica.heartbeat()
        if number == first:
            clock.restart_times()
            began = time.thread_time()
    thread_seconds = time.thread_time() - began
    own = (clock.read(), thread_seconds if replica.device.type == "cpu" else None)
    everyone = [own] * dist.get_world_size()
    dist.all_gather_object(everyone, own)
    burst = Burst(ranks=[ranks for ranks, _ in everyone], thread_seconds=[seconds for _, seconds in everyone])
    check_wire_bytes(burst.ranks, replica.cell.backend)
    return burst
