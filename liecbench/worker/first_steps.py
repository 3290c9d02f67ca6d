"""Losses, compression error and residual norm of a cell's first steps.

``liecbench check`` compares these numbers with those of an earlier run. In the first steps, differences of rounding
have not grown yet, so that a larger difference shows a change of the method.
"""

from typing import Final

import torch
from torch import Tensor

from liecbench.results.records import FirstSteps
from liecbench.worker.combine_ranks import mean_over_ranks, norm_over_ranks
from liecbench.worker.evaluation import compression_error
from liecbench.worker.replica import Replica

NUM_FIRST_STEPS: Final = 5


class FirstStepsRecorder:
    """A recorder of the losses of a cell's first five steps on one rank; a cell is one configuration with one seed.

    After these steps, it also records the norm of the residuals and, from one more forward and backward pass, the
    compression error. ``liecbench check`` compares these values with those of an earlier run.

    Args:
        replica: The cell's model, optimizer, algorithm and data on this rank, before the first step.
        batches: This rank's batches of the first epoch.
    """

    def __init__(self, replica: Replica, batches: list[Tensor]) -> None:
        self._replica, self._batch = replica, batches[0]
        self._num_steps = min(NUM_FIRST_STEPS, len(batches))
        self._losses: list[Tensor] = []
        self._error: float | None = None
        self._norm: float | None = None

    def step_ended(self, loss: Tensor) -> None:
        """Store ``loss``, the loss of the step that has ended; do nothing after the first five steps.

        After the last loss that is stored, also measure the compression error and the norm of the residuals.
        """
        if len(self._losses) == self._num_steps:
            return
        self._losses.append(loss)
        if len(self._losses) == self._num_steps:
            self._replica.algorithm.synchronize()
            self._error = compression_error(self._replica, self._batch)
            self._norm = self._replica.algorithm.residual_norm()
            self._replica.heartbeat()

    def read(self) -> FirstSteps | None:
        """Return the losses of the first steps, and the compression error and residual norm after these steps.

        The losses and the compression error are means over ranks. The residual norm is the norm of all ranks'
        residuals, joined into one vector. Return None if any loss on any rank is not finite. Collective.
        """
        losses = [mean_over_ranks(loss) for loss in torch.stack(self._losses).double().tolist()]
        error, norm = mean_over_ranks(self._error), norm_over_ranks(self._norm)
        finite = [loss for loss in losses if loss is not None]
        if len(finite) < len(losses):
            return None
        return FirstSteps(train_loss=finite, compression_error=error, residual_norm=norm)
