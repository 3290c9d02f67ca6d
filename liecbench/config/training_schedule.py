"""The number of steps of a cell's epochs, and the learning rate of each epoch."""

import math
from typing import TYPE_CHECKING

from liecbench.config.cell import Cell, Milestones, Task

if TYPE_CHECKING:
    from liecbench.algorithms.base import Algorithm


def steps_per_epoch(cell: Cell, algorithm: "Algorithm", num_samples: int) -> int:
    """Return the number of steps per epoch; samples too few for a last step of all workers are not trained on."""
    return num_samples // (cell.task.batch_size * algorithm.batches_per_step * cell.workers)


def learning_rate(task: Task, epoch: int) -> float:
    """Return the learning rate of an epoch, counted from 0."""
    match task.schedule:
        case Milestones(milestones=milestones, factor=factor):
            return task.learning_rate * factor ** sum(epoch >= milestone for milestone in milestones)
        case "cosine":
            return task.learning_rate * (1 + math.cos(math.pi * epoch / task.epochs)) / 2
    return task.learning_rate
