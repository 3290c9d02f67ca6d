"""The number of steps per epoch, and the learning rate of each epoch, of a cell (one training run)."""

import math
from typing import TYPE_CHECKING

from liecbench.config.cell import Cell
from liecbench.config.task import Milestones, Task

if TYPE_CHECKING:
    from liecbench.algorithms.base import Algorithm


def steps_per_epoch(cell: Cell, algorithm: "Algorithm", num_samples: int) -> int:
    """Return the number of steps per epoch, given the number of training samples.

    If the samples left at the end are too few for a step of all workers, they are not trained on in this epoch.
    """
    return num_samples // (cell.task.batch_size * algorithm.batches_per_step * cell.workers)


def learning_rate(task: Task, epoch: int) -> float:
    """Return the learning rate of an epoch, counted from 0."""
    match task.schedule:
        case Milestones(milestones=milestones, factor=factor):
            return task.learning_rate * factor ** sum(epoch >= milestone for milestone in milestones)
        case "cosine":
            return task.learning_rate * (1 + math.cos(math.pi * epoch / task.epochs)) / 2
    return task.learning_rate
