"""Partition of the gradient: into blocks, which are exchanged one by one, and each block into one shard per server."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor
from torch.nn import Parameter

BYTES_PER_ELEMENT = 4
# ``root``: rank 0 is the server of whole blocks. ``sharded``: every rank is the server of one shard of each block. With
# world size n every rank then sends 2(n − 1)/n times the bytes of a compressed gradient, and receives as many.
ServerPlace = Literal["root", "sharded"]
# Where the filling of blocks begins: at the last tensor, whose gradient is ready first, or at the first tensor.
BlockOrder = Literal["backward", "forward"]
_SHARD_ALIGNMENT = 8
# The default sizes of DDP's buckets: of the one that the backward pass fills first, and of the others.
_FIRST_BUCKET_BYTES, _BUCKET_BYTES = 2**20, 25 * 2**20


def plan_blocks(
    numels: Sequence[int], block_bytes: int | Literal["whole"], order: BlockOrder = "backward"
) -> list[list[int]]:
    """Assign tensors to blocks.

    Args:
        numels: The number of elements of each tensor.
        block_bytes: The largest size of a block, in bytes of float32; a larger tensor gets a block of its own.
            ``whole``: all tensors are in one block.
        order: Whether blocks are filled from the last tensor to the first (``backward``) or from the first to the last.
            For example, if three tensors have equal sizes and a block has room for two, the result is [[2, 1], [0]]
            with ``backward``, and [[2], [1, 0]] with ``forward``.

    Returns:
        For each block the indices of its tensors. Indices always descend from the last tensor's index to 0, because
        the backward pass computes the gradients in this order.
    """
    if order == "forward":
        return [block[::-1] for block in _filled(range(len(numels)), numels, block_bytes)][::-1]
    return _filled(reversed(range(len(numels))), numels, block_bytes)


def _filled(indices: Iterable[int], numels: Sequence[int], block_bytes: int | Literal["whole"]) -> list[list[int]]:
    blocks: list[list[int]] = []
    free_bytes = 0.0
    for index in indices:
        size = numels[index] * BYTES_PER_ELEMENT
        if not blocks or size > free_bytes:
            blocks.append([])
            free_bytes = float("inf") if block_bytes == "whole" else block_bytes
        blocks[-1].append(index)
        free_bytes -= size
    return blocks


def plan_buckets(
    numels: Sequence[int], bucket_bytes: int | Literal["whole"] | None, dtypes: Sequence[torch.dtype]
) -> list[list[int]]:
    """Assign tensors to gradient buckets as DDP does with a ``bucket_cap_mb`` of ``bucket_bytes`` / 2²⁰.

    Args:
        numels: The number of elements of each tensor.
        bucket_bytes: The size in bytes at which a bucket is full. ``whole``: one bucket per type of tensors. None,
            DDP's default: 1 MiB for the first bucket of each type, and 25 MiB for all others.
        dtypes: The type of each tensor; a bucket has tensors of one type.

    Returns:
        For each bucket the indices of its tensors, from the last tensor to the first.
    """
    full: list[list[int]] = []
    open_buckets: dict[torch.dtype, list[int]] = {}
    sizes: dict[torch.dtype, int] = {}
    limits = dict.fromkeys(dtypes, bucket_bytes or _FIRST_BUCKET_BYTES)
    for index in reversed(range(len(numels))):
        dtype = dtypes[index]
        open_buckets.setdefault(dtype, []).append(index)
        sizes[dtype] = sizes.get(dtype, 0) + numels[index] * dtype.itemsize
        limit = limits[dtype]
        if limit != "whole" and sizes[dtype] >= limit:
            full.append(open_buckets.pop(dtype))
            sizes[dtype], limits[dtype] = 0, bucket_bytes or _BUCKET_BYTES
    return [*full, *open_buckets.values()]


@dataclass(slots=True, kw_only=True, eq=False)
class Block:
    """Some of the model's parameters and, during a step, their gradients as one flat vector.

    Attributes:
        index: Position among the model's blocks, counted from 0 in the order in which the backward pass completes them.
        names: The parameters' names.
        parameters: The parameters.
        gradient: This worker's gradient, float32 of shape ``[numel]``; empty between steps.
    """

    index: int
    names: list[str]
    parameters: list[Parameter]
    gradient: Tensor = field(default_factory=lambda: torch.empty(0))
    _arrived: dict[Tensor, Tensor] = field(default_factory=dict)
    _copied: list[Tensor] = field(default_factory=list)

    @property
    def numel(self) -> int:
        """Number of elements of all parameters together."""
        return sum(parameter.numel() for parameter in self.parameters)

    def extents(self) -> list[tuple[int, int]]:
        """Return for each parameter the range [start, stop) of its elements in the block's vector."""
        stops = list(itertools.accumulate(parameter.numel() for parameter in self.parameters))
        return list(zip([0, *stops[:-1]], stops, strict=True))

    def add_gradient(self, parameter: Tensor, gradient: Tensor) -> bool:
        """Store the gradient of one parameter, and return whether the block now has the gradients of all parameters."""
        self._arrived[parameter] = gradient
        return len(self._arrived) == len(self.parameters)

    def gather(self) -> None:
        """Set ``gradient`` to one vector of the gradients that ``add_gradient`` stored.

        The vector is a view of the stored gradients if they are float32 and adjacent in memory, and a float32 copy
        otherwise.
        """
        self._copied = [self._arrived[parameter] for parameter in self.parameters]
        self._arrived = {}
        if _are_adjacent(self._copied):
            self.gradient = self._copied[0].as_strided((self.numel,), (1,))
            self._copied = []
        else:
            self.gradient = torch.cat([gradient.reshape(-1).float() for gradient in self._copied])

    def scatter(self, update: Tensor) -> None:
        """Overwrite the parameters' gradients with ``update``, a vector of shape ``[numel]``.

        Then drop the block's references to the gradients, as ``release`` does.
        """
        if self._copied:
            for gradient, piece in zip(self._copied, update.split([g.numel() for g in self._copied]), strict=True):
                gradient.copy_(piece.view_as(gradient))
        elif update.data_ptr() != self.gradient.data_ptr():
            self.gradient.copy_(update)
        self.release()

    def release(self) -> None:
        """Drop the references to this step's gradients."""
        self._copied, self.gradient = [], torch.empty(0)

    def flat_parameters(self) -> Tensor:
        """Return a copy of the parameters' values, float32 of shape ``[numel]``."""
        flat = torch.empty(self.numel, device=self.parameters[0].device)
        pieces = flat.split([parameter.numel() for parameter in self.parameters])
        for parameter, piece in zip(self.parameters, pieces, strict=True):
            piece.view_as(parameter).copy_(parameter.detach())
        return flat

    def set_parameters(self, flat: Tensor) -> None:
        """Set the parameters' values from ``flat``, a vector in the layout that ``flat_parameters`` returns."""
        pieces = flat.split([parameter.numel() for parameter in self.parameters])
        for parameter, piece in zip(self.parameters, pieces, strict=True):
            parameter.detach().copy_(piece.view_as(parameter))


def _are_adjacent(gradients: list[Tensor]) -> bool:
    if any(gradient.dtype != torch.float32 or not gradient.is_contiguous() for gradient in gradients):
        return False
    first = gradients[0].untyped_storage().data_ptr()
    if any(gradient.untyped_storage().data_ptr() != first for gradient in gradients):
        return False
    ends = [gradient.data_ptr() + gradient.nbytes for gradient in gradients]
    return all(end == gradient.data_ptr() for end, gradient in zip(ends[:-1], gradients[1:], strict=True))


@dataclass(frozen=True, slots=True)
class Shard:
    """The elements ``[start, stop)`` of a block's vector. The server of these elements is rank ``owner``."""

    owner: int
    start: int
    stop: int

    @property
    def numel(self) -> int:
        """Number of elements."""
        return self.stop - self.start


def cut_shards(numel: int, world_size: int, server: ServerPlace) -> list[Shard]:
    """Cut a vector into shards.

    Args:
        numel: The vector's number of elements.
        world_size: The number of ranks.
        server: ``root`` for one shard, served by rank 0; ``sharded`` for one shard per rank.

    Returns:
        The shards in the vector's order. An empty vector has one empty shard. Otherwise, empty shards are left out, and
        the number of elements of each shard but the last is a multiple of 8.
    """
    if server == "root" or numel == 0:
        return [Shard(0, 0, numel)]
    size = -(-numel // world_size)
    size = -(-size // _SHARD_ALIGNMENT) * _SHARD_ALIGNMENT
    starts = range(0, numel, size)
    return [Shard(owner, start, min(start + size, numel)) for owner, start in enumerate(starts)]


def local_shard_of(shards: Sequence[Shard], rank: int) -> Shard:
    """Return the shard whose server is ``rank``; an empty shard if there is none."""
    return next((shard for shard in shards if shard.owner == rank), Shard(rank, 0, 0))
