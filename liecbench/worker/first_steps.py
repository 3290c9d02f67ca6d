"""Numbers of a cell's first steps, for checks that tell a change of the method from a difference of rounding."""

from typing import Final

import torch
from torch import Tensor

from liecbench.results.records import FirstSteps
from liecbench.worker.combine_ranks import mean_over_ranks, norm_over_ranks
from liecbench.worker.evaluation import compression_error
from liecbench.worker.replica import Replica

NUM_FIRST_STEPS: Final = 5


class FirstStepsRecorder:
    """Records the first steps of a cell on one rank; one forward and backward pass outside the steps is added.

    Args:
        replica: The cell on this rank, before its first step.
        batches: This rank's batches of the first epoch.
    """

    def __init__(self, replica: Replica, batches: list[Tensor]) -> None:
        self._replica, self._batch = replica, batches[0]
        self._num_steps = min(NUM_FIRST_STEPS, len(batches))
        self._losses: list[Tensor] = []
        self._error: float | None = None
        self._norm: float | None = None

    def step_ended(self, loss: Tensor) -> None:
        """Note a step's loss; after the last of the first steps, also measure compression error and residuals."""
        if len(self._losses) == self._num_steps:
            return
        self._losses.append(loss)
        if len(self._losses) == self._num_steps:
            self._replica.algorithm.synchronize()
            self._error = compression_error(self._replica, self._batch)
            self._norm = self._replica.algorithm.residual_norm()
            self._replica.heartbeat()

    def read(self) -> FirstSteps | None:
        """Return the numbers over all ranks; None if a loss is not finite. Collective."""
        losses = [mean_over_ranks(loss) for loss in torch.stack(self._losses).double().tolist()]
        error, norm = mean_over_ranks(self._error), norm_over_ranks(self._norm)
        finite = [loss for loss in losses if loss is not None]
        if len(finite) < len(losses):
            return None
        return FirstSteps(train_loss=finite, compression_error=error, residual_norm=norm)
