"""All workers of a method in one process, with the models of all workers in one tensor."""

import torch
from torch import Tensor
from torch.nn import Parameter

from liecbench.algorithms.base import NonFiniteError
from liecbench.algorithms.block_algorithm import BlockAlgorithm
from liecbench.algorithms.comm.exchange import NonFiniteMessageError
from liecbench.algorithms.comm.simulated_exchange import SimulatedExchange


class SimulatedWorkers:
    """Workers that train a vector with a method and plain SGD, x_i ← x_i − η u_i, without a process group.

    x_i is worker i's model, and u_i the update that the method returns. The method's own ``reduce`` and ``after_step``
    run, once per step for all workers together.

    Args:
        algorithm: The method, not attached to a model. This object sets it up.
        start: The model with which every worker starts, float32 of shape ``[numel]``.
        num_workers: The number of workers.
        learning_rate: The learning rate η.

    Attributes:
        algorithm: The method. Each of its worker memories holds the values of all workers in one tensor.
        models: The workers' models, of shape ``[num_workers, numel]``. Read them between steps.

    Raises:
        ValueError: If the method is not computed element by element (``BlockAlgorithm.is_elementwise``).
    """

    def __init__(self, algorithm: BlockAlgorithm, start: Tensor, *, num_workers: int, learning_rate: float) -> None:
        if not algorithm.is_elementwise:
            raise ValueError(f"{type(algorithm).__name__} treats a vector as a whole, so it cannot be simulated")
        self.algorithm, self._learning_rate = algorithm, learning_rate
        self._parameter = Parameter(start.repeat(num_workers), requires_grad=False)
        self.models = self._parameter.view(num_workers, -1)
        self._exchange = SimulatedExchange(num_workers, algorithm.server_place or "sharded")
        algorithm.set_up([("model", self._parameter)], self._exchange)

    def step(self, gradients: Tensor) -> None:
        """Train one step.

        Args:
            gradients: Every worker's gradient at its own model, of shape ``[num_workers, numel]``; overwritten.

        Raises:
            NonFiniteError: If a gradient, or a mean of models, is not finite.
        """
        algorithm = self.algorithm
        (block,) = algorithm.blocks
        block.gradient = gradients.view(-1)
        self._exchange.begin(algorithm.step, block.index)
        try:
            algorithm.before_reduce(block)
            update = algorithm.reduce(block)
        except NonFiniteMessageError:
            raise NonFiniteError(f"step {algorithm.step}: gradients are not finite") from None
        self._parameter.sub_(update, alpha=self._learning_rate)
        block.gradient = torch.empty(0)
        algorithm.step += 1
        algorithm.after_step()
