"""Memories: the tensors that a method keeps from step to step, one per block of gradient.

A method declares its memories as class attributes; ``attach`` allocates their tensors.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, Self, overload

import torch
from torch import Tensor

from liecbench.algorithms.comm.exchange import Exchange
from liecbench.algorithms.comm.partition import Block, Shard

_PIECE: Final = 2**24


def square_norm(tensor: Tensor) -> float:
    """Return the sum of the squares of all elements, computed in double precision.

    Only one piece of the tensor at a time is converted to double, to save memory.
    """
    return sum(float(piece.double().square().sum()) for piece in tensor.reshape(-1).split(_PIECE))


class Memory:
    """One memory of a method: float32 tensors that are kept from step to step, one per block of the gradient.

    ``memory[block]`` is the tensor of ``block``.

    Args:
        tensors: The tensor of each block.
        starts: For each block, the index in the block at which the tensor begins. The index can be above 0 only if the
            tensor covers a shard instead of the whole block.
    """

    def __init__(self, tensors: Sequence[Tensor], starts: Sequence[int]) -> None:
        self.tensors, self._starts = list(tensors), list(starts)

    def __getitem__(self, block: Block) -> Tensor:
        return self.tensors[block.index]

    def piece(self, tensor: Tensor, block: int, extent: tuple[int, int]) -> Tensor:
        """Return the part of ``tensor`` that corresponds to the elements [start, stop) of a block.

        Args:
            tensor: This memory's tensor of the block, or one of the same shape.
            block: The index of the block.
            extent: The pair (start, stop). Both are indices in the block.
        """
        start, stop = (max(0, position - self._starts[block]) for position in extent)
        return tensor[start:stop]


class WorkerMemory:
    """The declaration of a memory on every worker: a tensor of shape ``[block.numel]`` per block, initially zero.

    A method that declares ``error = WorkerMemory()`` in its class reads and writes the tensor of a block as
    ``self.error[block]``. ``state_dict`` saves the memory under the name ``error``. The name of an error memory must
    end in ``error``: ``residual_norm`` measures the memories with such names.
    """

    name: str

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, algorithm: None, owner: type) -> Self: ...

    @overload
    def __get__(self, algorithm: Any, owner: type) -> Memory: ...

    def __get__(self, algorithm: Any, owner: type) -> Self | Memory:
        if algorithm is None:
            return self
        memory: Memory = algorithm.allocated[self.name]
        return memory

    def extent(self, exchange: Exchange, numel: int) -> Shard:
        """Return the part of a block that this memory covers on this rank: all ``numel`` elements of the block."""
        return Shard(exchange.rank, 0, numel)

    def allocate(self, exchange: Exchange, blocks: Sequence[Block], device: torch.device) -> Memory:
        """Return a memory with one tensor of zeros per block."""
        shards = [self.extent(exchange, block.numel) for block in blocks]
        return Memory([torch.zeros(shard.numel, device=device) for shard in shards], [shard.start for shard in shards])


class ServerMemory(WorkerMemory):
    """The declaration of a memory on the server: one tensor per block, as large as this rank's shard, initially zero.

    In ``root`` mode the shard of rank 0 is the whole block, and the shards of all other ranks are empty.
    """

    def extent(self, exchange: Exchange, numel: int) -> Shard:
        """Return the part of a block of ``numel`` elements that this memory covers on this rank: the local shard."""
        return exchange.local_shard(numel)


def declared_memories(cls: type) -> Iterator[WorkerMemory]:
    """Yield the class attributes of a method that declare memories, such as ``error = WorkerMemory()``.

    Attributes of base classes come first. Attributes of one class come in the order of the source text.

    Args:
        cls: The class of the method.
    """
    for base in reversed(cls.__mro__):
        yield from (value for value in vars(base).values() if isinstance(value, WorkerMemory))
