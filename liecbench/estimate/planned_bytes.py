"""The payload bytes that a cell (one training run) will send, computed from its algorithm's schedule of messages."""

import functools
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from liecbench.config import workload_sizes
from liecbench.config.cell import Cell
from liecbench.config.factory import make_algorithm
from liecbench.errors import LiecbenchError

if TYPE_CHECKING:
    import torch

    from liecbench.algorithms.base import Algorithm
    from liecbench.algorithms.comm.schedule import Schedule, ScheduledAllReduce

_MAX_COUNTED_STEPS: Final = 100_000
# Task fields that change neither the bytes nor the time of a step, so that cells that differ only in these fields share
# an estimate.
WITHOUT_EFFECT: Final = {
    "learning_rate": 1.0,
    "schedule": None,
    "momentum": 0.0,
    "weight_decay": 0.0,
    "optimizer": {"name": "sgd"},
    "clip_grad_norm": None,
    "warmup_steps": 0,
    "partition": "iid",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTraffic:
    """The messages of the steps of one kind, all of which send messages of the same sizes.

    Attributes:
        count: The number of steps of this kind in the whole training.
        ranks: For each rank, the payload bytes (sent, received) of one step.
        num_messages: The number of messages that all ranks together send in one step, if all-reduces are rings.
        num_sequential: The number of messages in the longest chain of one step, without those of all-reduces. In a
            chain, each message is sent only after the previous message has arrived.
        all_reduces: The all-reduces of one step, with their sizes and dependencies.
    """

    count: int
    num_messages: int
    num_sequential: int
    ranks: list[tuple[int, int]]
    all_reduces: "tuple[ScheduledAllReduce, ...]" = ()


def traffic(cell: Cell) -> dict[str, StepTraffic]:
    """Return the payload bytes of a cell's steps, by step kind. Seed, link and learning rate do not affect the bytes.

    Raises LiecbenchError if the algorithm's messages cannot be recorded.
    """
    spec = cell.spec()
    task = {**spec["task"], **WITHOUT_EFFECT} if cell.is_trained else spec["task"]
    return _traffic(json.dumps({**spec, "seed": 0, "link": "none", "task": task}, sort_keys=True))


@functools.cache
def _traffic(spec: str) -> dict[str, StepTraffic]:
    from liecbench.config.training_schedule import steps_per_epoch

    cell = Cell.from_spec(json.loads(spec))
    sizes = workload_sizes.sizes(cell.task)
    algorithm = make_algorithm(cell)
    num_steps = cell.task.epochs * steps_per_epoch(cell, algorithm, sizes.num_train_samples)
    kinds = [algorithm.step_kind(step) for step in range(min(num_steps, _MAX_COUNTED_STEPS))]
    algorithm.parameter_dtypes = sizes.dtypes
    schedules = {kind: _schedule(cell, algorithm, sizes.parameters, kinds.index(kind)) for kind in dict.fromkeys(kinds)}
    return {
        kind: StepTraffic(
            count=round(count * num_steps / len(kinds)),
            num_messages=schedules[kind].num_call_messages() + schedules[kind].num_ring_messages(),
            num_sequential=schedules[kind].num_sequential_transfers(),
            ranks=schedules[kind].payload_bytes(),
            all_reduces=schedules[kind].all_reduces,
        )
        for kind, count in Counter(kinds).items()
    }


def _schedule(cell: Cell, algorithm: "Algorithm", shapes: "Sequence[torch.Size]", step: int) -> "Schedule":
    """Return the messages of all ranks in step number ``step``, for parameters of these shapes."""
    from liecbench.algorithms.comm.schedule import ScheduleError

    try:
        return algorithm.schedule(shapes, world_size=cell.workers, step=step)
    except ScheduleError as error:
        raise LiecbenchError(f"{cell.algorithm.name}: {error}", "fix or uninstall its package") from error


def payload_bytes_per_epoch(cell: Cell) -> list[tuple[int, int]]:
    """Return each rank's payload bytes (sent, received) per epoch, averaged over all epochs of the training."""
    kinds = traffic(cell).values()
    totals = [
        [sum(kind.count * kind.ranks[rank][way] for kind in kinds) for way in (0, 1)] for rank in range(cell.workers)
    ]
    return [(round(sent / cell.task.epochs), round(received / cell.task.epochs)) for sent, received in totals]
