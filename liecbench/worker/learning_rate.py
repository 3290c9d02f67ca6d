"""How many steps an epoch has, and at which learning rate."""

import math

from liecbench.algorithms.base import Algorithm
from liecbench.config.cell import Cell, Milestones, Task


def steps_per_epoch(cell: Cell, algorithm: Algorithm, num_samples: int) -> int:
    """Full steps of all workers; what is left over is not trained on in that epoch."""
    return num_samples // (cell.task.batch_size * algorithm.batches_per_step * cell.workers)


def learning_rate(task: Task, epoch: int) -> float:
    """The learning rate of an epoch, counted from 0."""
    match task.schedule:
        case Milestones(milestones=milestones, factor=factor):
            return task.learning_rate * factor ** sum(epoch >= milestone for milestone in milestones)
        case "cosine":
            return task.learning_rate * (1 + math.cos(math.pi * epoch / task.epochs)) / 2
    return task.learning_rate
