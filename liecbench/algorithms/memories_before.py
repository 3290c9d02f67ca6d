"""Copies of a method's memories, such as error memories, as they are before ``reduce`` changes them.

If the step's backward pass does not use a parameter, the parameter's part of the memories is restored from the copies.
"""

from collections.abc import Mapping, Sequence

from torch import Tensor
from torch.nn import Parameter

from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.memory import Memory


class MemoriesBefore:
    """Copies of a method's memories, such as error memories, from before the method's ``reduce`` changes them.

    ``keep`` copies the memories of one block. ``restore`` writes the copies back for given parameters. The object's
    truth value is False until the first call of ``keep``.

    Args:
        memories: The memories by name, such as ``error``.
        blocks: The model's blocks.
    """

    def __init__(self, memories: Mapping[str, Memory], blocks: Sequence[Block]) -> None:
        self._memories, self._blocks = memories, blocks
        self._kept: dict[tuple[str, int], Tensor] = {}

    def __bool__(self) -> bool:
        return bool(self._kept)

    def keep(self, block: Block) -> None:
        """Copy the present values of all memories of a block, for ``restore``."""
        for name, memory in self._memories.items():
            self._kept[name, block.index] = memory[block].clone()

    def restore(self, parameters: Sequence[Parameter]) -> None:
        """Set the parts of the memories that belong to ``parameters`` to the values that ``keep`` copied."""
        unused = set(parameters)
        for (name, index), before in self._kept.items():
            block, memory = self._blocks[index], self._memories[name]
            for parameter, extent in zip(block.parameters, block.extents(), strict=True):
                if parameter in unused:
                    memory.piece(memory[block], index, extent).copy_(memory.piece(before, index, extent))
