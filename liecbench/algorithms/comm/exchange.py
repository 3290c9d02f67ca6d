"""Exchange of compressed vectors: through a server, with a push and a pull, or from every rank to every other."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from torch import Tensor

from liecbench.algorithms.comm.partition import ServerPlace, Shard, cut_shards, local_shard_of
from liecbench.compressors.base import Compressor, Message
from liecbench.compressors.identity import Identity

# Computes, in the tensor that is its second argument, the result of a gather from the messages of all ranks, by rank.
Combine = Callable[[Sequence[Message], Tensor], object]


class NonFiniteMessageError(FloatingPointError):
    """A message holds a value that is not finite; every rank raises this error for the same message."""


class Exchange(ABC):
    """The collective operations by which workers average their vectors, compressed or not.

    - ``push`` sends a vector to the server, which averages the vectors of all workers.
    - ``pull`` sends the server's result to every worker.
    - ``mean`` is a push and a pull without compression.
    - ``gather`` sends a vector to every other rank, without a server. Every rank then computes the same result.

    Every rank makes the same calls in the same order. Vectors are contiguous float32 tensors of shape ``[numel]``. In
    ``root`` mode, rank 0 is the server. In ``sharded`` mode, every rank is the server of one shard of each vector.
    """

    def __init__(self, rank: int, world_size: int, server: ServerPlace) -> None:
        self.rank, self.world_size, self._server = rank, world_size, server

    def shards(self, numel: int) -> list[Shard]:
        """Return the shards of a vector of ``numel`` elements."""
        return cut_shards(numel, self.world_size, self._server)

    def local_shard(self, numel: int) -> Shard:
        """Return the shard that this rank serves in a vector of ``numel`` elements; an empty shard if there is none."""
        return local_shard_of(self.shards(numel), self.rank)

    @abstractmethod
    def begin(self, step: int, block: int) -> None:
        """Declare that the next pushes, pulls and gathers belong to gradient block ``block`` of step number ``step``.

        Nothing is sent. Random compressors draw numbers that depend on ``step`` and ``block``.
        """

    @abstractmethod
    def push(
        self, compressor: Compressor, vector: Tensor, *, residual: Tensor | None = None, out: Tensor | None = None
    ) -> Tensor:
        """Send C(``vector``) to the server, and return the part of the mean that this rank computes as a server.

        Args:
            compressor: The compressor C.
            vector: This worker's vector.
            residual: A vector of the same shape, which receives ``vector`` − C(``vector``); may be ``vector`` itself.
            out: A vector of the same shape; the result is written to this rank's shard of it. May be ``vector`` itself.
                If None, the result is in scratch memory, which the next push reuses.

        Returns:
            This rank's shard (see ``local_shard``) of the mean of all workers' C(``vector``).
        """

    @abstractmethod
    def pull(
        self,
        compressor: Compressor,
        mean: Tensor,
        *,
        out: Tensor | None = None,
        add_to: Tensor | None = None,
        weight: float = 1.0,
        error: Tensor | None = None,
    ) -> Tensor:
        """Send q = C(``mean`` + ``error``) from the server to every worker, so that all ranks have the same q.

        Args:
            compressor: The compressor C.
            mean: The tensor that ``push`` returned; it is overwritten.
            out: Receives q, in the shape of the pushed vector. Give either ``out`` or ``add_to``.
            add_to: A vector to which ``weight`` · q is added.
            weight: The factor of q; other than 1 only with ``add_to``.
            error: The server's error memory, with one element per element of this rank's shard. ``pull`` replaces
                ``error`` by ``mean`` + ``error`` − q. None if the method has no such memory.

        Returns:
            ``out`` or ``add_to``.

        Raises:
            NonFiniteMessageError: On every rank, if q is not finite; ``error`` then keeps its value. Over NCCL, where
                the host runs ahead of the GPU, ``pull`` raises nothing: the algorithm raises an error one step later.
        """

    @abstractmethod
    def gather(
        self,
        compressor: Compressor,
        vector: Tensor,
        *,
        out: Tensor,
        residual: Tensor | None = None,
        combine: Combine | None = None,
    ) -> Tensor:
        """Send C(``vector``) to every other rank, and compute the same result from all C(``vector``) on every rank.

        Args:
            compressor: The compressor C.
            vector: This worker's vector.
            out: A vector of the same shape, which receives the result; may be ``vector`` itself.
            residual: A vector of the same shape, which receives ``vector`` − C(``vector``); may be ``vector`` itself,
                but not ``out``.
            combine: Computes the result. The first argument is the messages of all ranks, in the order of ranks, and
                the second is the tensor to which the result is written. None computes the mean.

        Returns:
            ``out``.

        Raises:
            NonFiniteMessageError: On every rank, if a message is not finite. Over NCCL, ``gather`` raises nothing: the
                algorithm raises an error one step later.
        """

    @abstractmethod
    def keep_residual(self, compressor: Compressor, vector: Tensor) -> None:
        """Replace ``vector`` by ``vector`` − C(``vector``), where C is ``compressor``. Nothing is sent.

        C compresses each shard separately, as in ``push``.
        """

    def mean(self, vector: Tensor, *, add: Tensor | None = None) -> Tensor:
        """Replace ``vector`` by the mean of all workers' vectors, in full precision.

        Args:
            vector: This worker's vector; receives the result.
            add: The server's error memory, which has the length of this rank's shard. It is added to the mean, then
                set to zero. None adds nothing.

        Returns:
            ``vector``.

        Raises:
            NonFiniteMessageError: On every rank, if the mean is not finite. Over NCCL, ``mean`` raises nothing: the
                algorithm raises an error one step later.
        """
        identity = Identity()
        return self.pull(identity, self.push(identity, vector, out=vector), out=vector, error=add)
