"""The numbers of minibatches and steps of a cell (one training run), and the learning rate of each step."""

import math
from typing import TYPE_CHECKING

from liecbench.config.cell import Cell
from liecbench.config.schedule_choice import Cosine, Milestones, WarmUp
from liecbench.config.task import Task

if TYPE_CHECKING:
    from liecbench.algorithms.base import Algorithm


def minibatches_per_step(cell: Cell, algorithm: "Algorithm") -> int:
    """Return the number of minibatches whose gradients a step accumulates.

    This number is the task's ``accumulate`` × the method's ``batches_per_step``.
    """
    return cell.task.accumulate * algorithm.batches_per_step


def steps_per_epoch(cell: Cell, algorithm: "Algorithm", num_samples: int) -> int:
    """Return the number of steps per epoch; ``num_samples`` is the number of training samples.

    The samples that are left at the end of an epoch may be too few for a full step of all workers. With
    ``last_batch: keep``, one more, smaller step uses them. Otherwise they are skipped.
    """
    per_worker, full_step = num_samples // cell.workers, cell.task.batch_size * minibatches_per_step(cell, algorithm)
    return -(-per_worker // full_step) if cell.task.last_batch == "keep" else per_worker // full_step


def learning_rate_factor(task: Task, *, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of a step, as a multiple of the task's ``learning_rate``.

    Args:
        task: The task.
        step: The number of the step, from 0. Steps after the last epoch have the factor of the last step.
        steps_per_epoch: The number of steps per epoch.
    """
    schedule = task.schedule
    step = min(step, task.epochs * steps_per_epoch - 1)
    epoch = step // steps_per_epoch
    num_warmup = schedule.num_warmup_steps(steps_per_epoch) if isinstance(schedule, WarmUp) else 0
    if step < num_warmup and isinstance(schedule, Cosine) and schedule.every == "step":
        return (step + 1) / num_warmup
    warmup = (step + 1) / num_warmup if step < num_warmup else 1.0
    match schedule:
        case Milestones(milestones=milestones, factor=factor):
            return warmup * factor ** sum(epoch >= milestone for milestone in milestones)
        case Cosine(every="step"):
            return _cosine(step - num_warmup, task.epochs * steps_per_epoch - num_warmup)
        case "cosine" | Cosine():
            return warmup * _cosine(epoch, task.epochs)
    return warmup


def _cosine(position: int, length: int) -> float:
    return (1 + math.cos(math.pi * position / length)) / 2
