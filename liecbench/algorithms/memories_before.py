"""Copies of the memories before a step, for parameters that its backward pass turns out not to use."""

from collections.abc import Mapping, Sequence

from torch import Tensor
from torch.nn import Parameter

from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.memory import Memory


class MemoriesBefore:
    """The values that memories had before the step; False in a condition until a block's values are kept.

    Args:
        memories: The memories by name.
        blocks: The model's blocks.
    """

    def __init__(self, memories: Mapping[str, Memory], blocks: Sequence[Block]) -> None:
        self._memories, self._blocks = memories, blocks
        self._kept: dict[tuple[str, int], Tensor] = {}

    def __bool__(self) -> bool:
        return bool(self._kept)

    def keep(self, block: Block) -> None:
        """Copy the memories of a block."""
        for name, memory in self._memories.items():
            self._kept[name, block.index] = memory[block].clone()

    def restore(self, parameters: Sequence[Parameter]) -> None:
        """Set the parts of the memories that belong to ``parameters`` to the values that were kept."""
        unused = set(parameters)
        for (name, index), before in self._kept.items():
            block, memory = self._blocks[index], self._memories[name]
            for parameter, extent in zip(block.parameters, block.extents(), strict=True):
                if parameter in unused:
                    memory.piece(memory[block], index, extent).copy_(memory.piece(before, index, extent))
