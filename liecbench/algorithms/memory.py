"""Memories: the tensors that a method keeps from step to step, one per block, declared as class attributes."""

from collections.abc import Iterator, Sequence
from typing import Any, Self, overload

import torch
from torch import Tensor

from liecbench.algorithms.comm.exchange import Exchange
from liecbench.algorithms.comm.partition import Block, Shard


class Memory:
    """One tensor per block: ``memory[block]``, float32."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.tensors = list(tensors)

    def __getitem__(self, block: Block) -> Tensor:
        return self.tensors[block.index]


class WorkerMemory:
    """The declaration of a memory that every worker has: for each block zeros of shape ``[block.numel]``.

    A method with ``error = WorkerMemory()`` in its class finds the tensor of a block at ``self.error[block]``. It is
    saved by ``state_dict`` under its name. The name of an error memory ends in ``error``: ``residual_norm`` measures
    those.
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
        """Return the part of a block of ``numel`` elements that this rank keeps."""
        return Shard(exchange.rank, 0, numel)

    def allocate(self, exchange: Exchange, blocks: Sequence[Block], device: torch.device) -> Memory:
        """Return zeros for every block."""
        numels = [self.extent(exchange, block.numel).numel for block in blocks]
        return Memory([torch.zeros(numel, device=device) for numel in numels])


class ServerMemory(WorkerMemory):
    """The declaration of a memory of the server: for each block zeros of the shape of this rank's shard of it."""

    def extent(self, exchange: Exchange, numel: int) -> Shard:
        """Return the shard that this rank is the server of."""
        return exchange.local_shard(numel)


def declared_memories(cls: type) -> Iterator[WorkerMemory]:
    """Yield the memories that a class and its bases declare, in the order of their declarations."""
    for base in reversed(cls.__mro__):
        yield from (value for value in vars(base).values() if isinstance(value, WorkerMemory))
