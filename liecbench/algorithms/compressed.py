"""What methods that compress have in common: which compressors they take, and the units of their error memories."""

from collections.abc import Iterator
from typing import Any, ClassVar

import torch.distributed as dist
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.server import ServerAlgorithm
from liecbench.compressors.base import Compressor

_UNBIASED = (
    "the method keeps an error memory, which only a contraction keeps bounded, and {} is none (it is unbiased); "
    "take csgd, which keeps no memory, or a contraction such as sign or top_k"
)


@dataclass(kw_only=True, eq=False, config=CONFIG)
class CompressedAlgorithm(ServerAlgorithm):
    """A method that compresses.

    ``uses_error_feedback``: whether it remembers what compression leaves out, which needs a contraction.
    """

    compressor: Compressor
    uses_error_feedback: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if reason := self.incompatibility(self.compressor):
            raise ValueError(reason)

    @classmethod
    def incompatibility(cls, compressor: Compressor) -> str | None:
        """Error memories need a contraction."""
        return _UNBIASED.format(compressor) if cls.uses_error_feedback and not compressor.is_contraction else None


@dataclass(kw_only=True, eq=False, config=CONFIG)
class ErrorFeedback(CompressedAlgorithm):
    """A method with error memories. They are in gradient units, as the paper's authors run it.

    ``rescale_memory`` keeps them in update units: where the learning rate changes from η to η' a memory e becomes
    e · η/η', so that the update it stands for stays what it was. A learning rate of 0 leaves memories as they are.
    """

    rescale_memory: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._learning_rates: list[list[float]] = []

    def state_dict(self) -> dict[str, Any]:
        """This rank's step count and memories, and the learning rates whose units they are in."""
        return {**super().state_dict(), "learning_rates": self._learning_rates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from ``state_dict``'s value; ValueError where its memories are not those of this algorithm."""
        rates = [list(rates) for rates in state.get("learning_rates", ())]
        if [len(r) for r in rates] != [len(r) for r in self._learning_rates]:
            raise ValueError("the saved learning rates belong to another algorithm, model or block_bytes")
        super().load_state_dict(state)
        self._learning_rates = rates

    def prepare(self, block: Block) -> None:
        """Bring the block's memories to the units of the learning rates that its update will meet."""
        before, now = self._learning_rates[block.index], self._rates_of(block)
        self._learning_rates[block.index] = [new or old for new, old in zip(now, before, strict=True)]
        if self.rescale_memory:
            factors = [old / new if old and new else 1.0 for new, old in zip(now, before, strict=True)]
            if any(factor != 1 for factor in factors):
                for name, memories in self.memories().items():
                    first = self.exchange.local_shard(block.numel).start if name.startswith("server") else 0
                    _scale(memories[block.index], first, block, factors)

    def on_attach(self, ddp: DistributedDataParallel, group: dist.ProcessGroup) -> None:
        """Note the learning rates, too."""
        super().on_attach(ddp, group)
        self._learning_rates = [self._rates_of(block) for block in self.blocks]

    def _rates_of(self, block: Block) -> list[float]:
        """The learning rate of each of a block's parameters; 0 for one that the optimizer does not know."""
        rates = {p: float(group["lr"]) for group in self._optimizer.param_groups for p in group["params"]}
        return [rates.get(parameter, 0.0) for parameter in block.parameters]


def _scale(memory: Tensor, first: int, block: Block, factors: list[float]) -> None:
    """Multiply each parameter's part of a memory that begins at element ``first`` of its block."""
    for (start, stop), factor in zip(_places(block), factors, strict=True):
        memory[max(0, start - first) : max(0, stop - first)].mul_(factor)


def _places(block: Block) -> Iterator[tuple[int, int]]:
    start = 0
    for parameter in block.parameters:
        yield start, start + parameter.numel()
        start += parameter.numel()
