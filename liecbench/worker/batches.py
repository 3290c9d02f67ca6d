"""Which samples a rank's steps have, and how they get to where it computes."""

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from liecbench.algorithms.base import Algorithm
from liecbench.config.cell import Cell
from liecbench.tasks.base import Examples
from liecbench.worker.data_partition import epoch_order
from liecbench.worker.learning_rate import steps_per_epoch

_AUGMENTATION = 1
Batch = tuple[Tensor, Tensor]


class Batches:
    """A rank's share of ``samples``, in steps of as many minibatches as ``algorithm`` accumulates."""

    def __init__(self, cell: Cell, samples: Examples, algorithm: Algorithm, device: torch.device) -> None:
        self._cell, self._samples, self._device = cell, samples, device
        self._per_step = algorithm.batches_per_step
        self.steps_per_epoch = steps_per_epoch(cell, algorithm, len(samples))

    def of_epoch(self, epoch: int) -> list[Tensor]:
        """The samples of each of this rank's steps, a function of seed, epoch and rank."""
        mine = epoch_order(
            self._cell.task,
            self._samples.labels,
            seed=self._cell.seed,
            epoch=epoch,
            rank=dist.get_rank(),
            world_size=dist.get_world_size(),
        )
        size = self._cell.task.batch_size * self._per_step
        return list(mine[: self.steps_per_epoch * size].split(size))

    def random(self, number: int) -> np.random.Generator:
        """What augmentation draws from in an epoch, or a stretch, of this number."""
        return np.random.default_rng([self._cell.seed, number, dist.get_rank(), _AUGMENTATION])

    def minibatches(self, step: Tensor, random: np.random.Generator) -> list[Batch]:
        """What a step has, where it is computed."""
        return [self._on_device(self._samples.batch(part, random)) for part in step.tensor_split(self._per_step)]

    def untrained(self, step: Tensor) -> Batch:
        """All of a step's samples in one batch that is not trained on."""
        return self._on_device(self._samples.batch(step, self.random(0)))

    def _on_device(self, batch: Batch) -> Batch:
        if self._device.type == "cpu":
            return batch
        # From page-locked memory: the host would wait for any other's copy.
        inputs, labels = (part.pin_memory().to(self._device, non_blocking=True) for part in batch)
        return inputs, labels
