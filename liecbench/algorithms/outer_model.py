"""The outer model, common to all workers, which an outer optimizer moves by the workers' mean pseudo-gradient."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any

import torch
from annotated_types import Ge, Gt, Le, Lt
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn import Parameter

from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.block_algorithm import BlockAlgorithm
from liecbench.algorithms.comm.exchange import Exchange
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.compression_error import relative_square_error
from liecbench.algorithms.memory import WorkerMemory


@dataclass(kw_only=True, eq=False, config=CONFIG)
class OuterModel(BlockAlgorithm):
    """A method with an outer model θ̄, equal on all workers, and an outer optimizer: SGD with Nesterov momentum.

    Worker i's pseudo-gradient is Δ_i = θ̄ − θ_i, where θ_i is its local model. If the method has an error memory e_i,
    the worker sends C(p_i), where p_i = Δ_i + ``error_decay`` · e_i and C is the compressor; then e_i ← p_i − C(p_i).

    Attributes:
        outer_lr: η, the learning rate of the outer optimizer.
        outer_momentum: μ, the momentum of the outer optimizer.
        mix: α. After an outer step, worker i goes on with the model (1 − α)θ̄ + αθ_i.
        error_decay: The share of the error memory that is added to the next pseudo-gradient; 0 for no memory.
        outer_model: θ̄.
        momentum: b, the velocity of the outer optimizer; unused if μ is 0.
        error: e_i.
    """

    outer_lr: Annotated[float, Gt(0)] = 0.7
    outer_momentum: Annotated[float, Ge(0), Lt(1)] = 0.9
    mix: Annotated[float, Ge(0), Lt(1)] = 0.0
    error_decay: Annotated[float, Ge(0), Le(1)] = 0.0
    outer_model = WorkerMemory()
    momentum = WorkerMemory()
    error = WorkerMemory()

    def __post_init__(self) -> None:
        super().__post_init__()
        self._has_outer_model = False

    @abstractmethod
    def average(self, block: Block, pseudo_gradient: Tensor) -> None:
        """Replace a block's pseudo-gradient Δ_i by Δ, the mean of the vectors that all workers send.

        Called on the communication thread.

        Args:
            block: The block.
            pseudo_gradient: Δ_i, of shape ``[block.numel]``; receives Δ.
        """

    @property
    def keeps_error(self) -> bool:
        """True if the method has an error memory."""
        return self.error_decay > 0

    def to_compress(self, block: Block, pseudo_gradient: Tensor) -> Tensor:
        """Return the vector to compress: p_i = Δ_i + ``error_decay`` · e_i. Without error memory, p_i is Δ_i.

        Δ_i is ``pseudo_gradient``, and e_i this worker's error memory. p_i is in scratch memory, unless it is Δ_i
        itself.
        """
        if not self.keeps_error:
            return pseudo_gradient
        scratch = self.scratch(block.numel)
        return torch.add(pseudo_gradient, self.error[block], alpha=self.error_decay, out=scratch)

    def pseudo_gradient(self, block: Block) -> Tensor:
        """Return a block's pseudo-gradient Δ_i = θ̄ − θ_i: the outer model minus this worker's model."""
        local = block.flat_parameters()
        return torch.sub(self.outer_model[block], local, out=local)

    def outer_step(self, block: Block, mean: Tensor) -> None:
        """Move the outer model θ̄ by the mean pseudo-gradient Δ, and set this worker's model θ_i.

        Compute b ← μb + Δ; then θ̄ ← θ̄ − η(Δ + μb); then θ_i ← (1 − α)θ̄ + αθ_i. Δ is ``mean``, which is overwritten.
        The class explains the other symbols.
        """
        outer = self.outer_model[block]
        if self.outer_momentum:
            momentum = self.momentum[block].mul_(self.outer_momentum).add_(mean)
            mean.add_(momentum, alpha=self.outer_momentum)
        outer.add_(mean, alpha=-self.outer_lr)
        block.set_parameters(torch.lerp(outer, block.flat_parameters(), self.mix, out=mean) if self.mix else outer)

    def before_step(self) -> None:
        """Before the first step, copy the local model to the outer model θ̄."""
        if not self._has_outer_model:
            self._has_outer_model = True
            for block in self.blocks:
                self.outer_model[block].copy_(block.flat_parameters())

    def compression_error(self) -> float | None:
        """Return the relative square error of compressing p, the vector that the method would compress now.

        The error is ‖p − C(p)‖² ÷ ‖p‖², where C is the compressor. Return None if it is undefined. No state changes.
        """
        compressor = self.push_compressor(self.step)
        if compressor is None or not self._has_outer_model:
            return None
        self.synchronize()
        vectors = (self.to_compress(block, self.pseudo_gradient(block)) for block in self.blocks)
        return relative_square_error(vectors, lambda vector: self.keep_residual(compressor, vector))

    def own_state(self) -> dict[str, Any]:
        """Return a dict with the step count, the memories (tensors kept from step to step), and ``has_outer_model``.

        ``has_outer_model`` is True once the first step has copied the local model to the outer model.
        """
        return {**super().own_state(), "has_outer_model": self._has_outer_model}

    def load_own_state(self, state: Mapping[str, Any]) -> None:
        """Restore the state that ``own_state`` returned.

        Raises:
            ValueError: If the saved memories differ from this algorithm's in their names or shapes.
        """
        super().load_own_state(state)
        self._has_outer_model = state["has_outer_model"]

    def set_up(self, named: list[tuple[str, Parameter]], exchange: Exchange) -> None:
        """Plan the blocks and allocate the memories: tensors that last from step to step.

        The memory ``momentum`` exists only if ``outer_momentum`` is above 0, and the memory ``error`` only if
        ``keeps_error`` is True.

        Args:
            named: The model's parameters, each with its name.
            exchange: The exchange by which the method communicates.
        """
        super().set_up(named, exchange)
        self._has_outer_model = False  # also when it is attached a second time
        if not self.outer_momentum:
            del self.allocated["momentum"]
        if not self.keeps_error:
            del self.allocated["error"]
