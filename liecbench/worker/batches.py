"""The training batches of one rank: choose each step's examples, augment them, and copy them to the rank's device."""

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from liecbench.algorithms.base import Algorithm
from liecbench.config.cell import Cell
from liecbench.config.training_schedule import minibatches_per_step, steps_per_epoch
from liecbench.tasks.base import Examples
from liecbench.worker.data_partition import epoch_order
from liecbench.worker.device import on_device

_AUGMENTATION = 1
Batch = tuple[Tensor, Tensor]


class Batches:
    """The batches that one rank trains on: ``per_step`` minibatches per step.

    ``cell`` (one configuration with one seed) decides which of ``examples`` each rank trains on, in which order, and
    how large a minibatch is.
    """

    def __init__(self, cell: Cell, examples: Examples, algorithm: Algorithm, device: torch.device) -> None:
        self._cell, self._examples, self._device = cell, examples, device
        self.per_step = minibatches_per_step(cell, algorithm)
        self.steps_per_epoch = steps_per_epoch(cell, algorithm, len(examples))

    def of_epoch(self, epoch: int) -> list[Tensor]:
        """Return one tensor per step of ``epoch`` (from 0): the indices of the examples that this rank trains on.

        The indices depend only on the cell, the epoch, the rank and the number of ranks. In each step, all ranks
        have equally many examples.
        """
        own = epoch_order(
            self._cell.task,
            self._examples.labels,
            seed=self._cell.seed,
            epoch=epoch,
            rank=dist.get_rank(),
            world_size=dist.get_world_size(),
        )
        size = self._cell.task.batch_size * self.per_step
        per_rank = len(self._examples) // dist.get_world_size()
        return list(own[: min(self.steps_per_epoch * size, per_rank)].split(size))

    def augmentation_rng(self, number: int) -> np.random.Generator:
        """Return a new RNG for this rank's data augmentation, seeded with the cell's seed, ``number`` and the rank.

        Args:
            number: In training, the number of the epoch, from 0. If a burst of steps is timed, the number of the
                burst's first step.
        """
        return np.random.default_rng([self._cell.seed, number, dist.get_rank(), _AUGMENTATION])

    def minibatches(self, indices: Tensor, rng: np.random.Generator) -> list[Batch]:
        """Return the examples of one step as ``per_step`` augmented minibatches on the rank's device.

        If the step has fewer than ``per_step`` examples, return a minibatch for each example.

        Args:
            indices: The indices of the step's examples.
            rng: The random number generator of the augmentation.
        """
        parts = indices.tensor_split(min(self.per_step, len(indices)))
        return [on_device(self._examples.batch(part, rng), self._device) for part in parts]

    def evaluation_batch(self, indices: Tensor) -> Batch:
        """Return the examples ``indices`` as one batch, for a pass whose gradient does not update the model."""
        return on_device(self._examples.batch(indices, self.augmentation_rng(0)), self._device)
