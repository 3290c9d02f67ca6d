"""Training steps whose purpose is to be timed, or to warm up a GPU, rather than to train the model.

Timing sessions of ``liecbench run``, paired comparisons of ``liecbench check``, and ``rehearse`` all train such steps
with ``time_burst``. The steps change a replica's state, so that its model must not be evaluated afterwards. Only
``rehearse`` restores the state.
"""

import copy
import time
from dataclasses import dataclass

import torch.distributed as dist
from torch import Tensor
from torch.utils._pytree import tree_leaves

from liecbench.worker.device import release_memory
from liecbench.worker.rank_measurement import RankMeasurement, check_wire_bytes
from liecbench.worker.replica import Replica
from liecbench.worker.step_clock import StepClock
from liecbench.worker.timeline import Timeline
from liecbench.worker.undone_passes import undone


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """All ranks' measurements of one burst, which is a series of consecutive timed steps.

    Attributes:
        ranks: The measurement of each rank.
        thread_seconds: For each rank, the CPU seconds of the training thread in the timed steps; None if the rank
            computes on a GPU. In a replay, always the ``compute_seconds`` of the rank's measurement.
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
    """Return a clock for the replica's next steps; all ranks' clocks start at the same time. Collective."""
    clock = StepClock(replica.algorithm, replica.link)
    dist.barrier()  # no peer sends before every rank has read its counters
    clock.restart_times()
    return clock


def rehearse(replica: Replica) -> None:
    """Train one step of each kind, such as with and without averaging; then restore the state. Collective.

    The steps make torch compile GPU kernels and NCCL open connections before any step is timed.

    Raises:
        NonFiniteError: If a gradient is not finite.
    """
    state = replica.state_dict()
    # On a GPU the copies are made in the host's memory, because the GPU's may have no room for them.
    on_gpu = [leaf for leaf in tree_leaves(state) if isinstance(leaf, Tensor) and leaf.is_cuda]
    before = copy.deepcopy(state, {id(tensor): tensor.cpu() for tensor in on_gpu})
    kinds = replica.step_kinds
    with undone(replica.model, parameters=()):
        for kind in dict.fromkeys(kinds):
            time_burst(replica, kinds.index(kind), 0, repeat=True)
        replica.optimizer.zero_grad()
    replica.load_state_dict(before)
    del state, on_gpu, before
    release_memory(replica.device)


def time_burst(
    replica: Replica, first: int, num_steps: int, *, repeat: bool = False, timeline: Timeline | None = None
) -> Burst:
    """Train step number ``first`` without timing it, and time the next ``num_steps`` steps. Collective.

    The links must be limited before the call. The untimed step is needed because a link that was idle carries its first
    bytes faster than its rate. Steps past the last epoch use the learning rate of the training's last step.

    Args:
        replica: The replica.
        first: Number of the untimed step.
        num_steps: Number of timed steps.
        repeat: If True, the method carries out each step as step number ``first``, so that all steps are of one kind.
        timeline: The timeline that records the steps; None for no timeline.

    Returns:
        The measurements of all ranks, equal on every rank.

    Raises:
        NonFiniteError: If a gradient is not finite.
        LinkError: If a network interface carried fewer bytes than the payload.
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
        replica.set_learning_rate(number)
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
