"""An exchange among workers that are simulated in one process: one vector holds the vectors of all workers."""

from collections.abc import Sequence

import torch
from torch import Tensor

from liecbench.algorithms.comm.exchange import Combine, Exchange, NonFiniteMessageError
from liecbench.algorithms.comm.message_rng import MessageRng
from liecbench.algorithms.comm.partition import ServerPlace, Shard
from liecbench.compressors.base import Compressor, Message
from liecbench.compressors.identity import Identity


class SimulatedExchange(Exchange):
    """Computes the results of an exchange among ``world_size`` workers in one process, without sending anything.

    The workers' vectors of shape ``[numel]`` form one vector of shape ``[world_size · numel]``: worker 0's vector, then
    worker 1's, and so on. The servers' shards, one after the other, form a vector of shape ``[numel]``. Every worker
    and every server compresses with its own random numbers.

    A method gets the results that it gets on real ranks if ``BlockAlgorithm.is_elementwise`` is True for the method.
    Outside the exchange, such a method computes each element of a vector independently of all other elements.
    """

    def __init__(self, world_size: int, server: ServerPlace) -> None:
        super().__init__(0, world_size, server)
        self._rng = MessageRng()

    def local_shard(self, numel: int) -> Shard:
        """Return a shard that covers one worker's whole vector, because this process simulates all servers.

        ``numel`` is the number of elements of all workers' vectors together.
        """
        return Shard(self.rank, 0, numel // self.world_size)

    def begin(self, step: int, block: int) -> None:
        """Make the compressors' random numbers depend on ``step`` and ``block`` until the next call of ``begin``.

        ``step`` is the number of the training step, and ``block`` the number of the gradient block.
        """
        self._rng.begin(step, block)

    def push(
        self, compressor: Compressor, vector: Tensor, *, residual: Tensor | None = None, out: Tensor | None = None
    ) -> Tensor:
        """Return the mean of all workers' vectors after compression and decompression by ``compressor``.

        The mean has the shape ``[numel]``, where ``numel`` is the length of one worker's vector. ``vector``,
        ``residual`` and ``out`` are those of ``Exchange.push``, but for all workers: of shape ``[world_size · numel]``.
        If ``out`` is given, the first ``numel`` elements of ``out`` receive the mean and are returned.
        """
        self._rng.begin_push()
        vectors, residuals = self._of_workers(vector), self._residuals(residual)
        mean = torch.empty(vector.numel() // self.world_size)
        for shard in self.shards(mean.numel()):
            piece = slice(shard.start, shard.stop)
            compressors = [
                self._rng.given_to(compressor, shard=shard.owner, sender=rank) for rank in range(self.world_size)
            ]
            messages = [
                one.compress(v[piece], None if r is None else r[piece])
                for one, v, r in zip(compressors, vectors, residuals, strict=True)
            ]
            self._average(compressors, messages, mean[piece])
        return mean if out is None else out[: mean.numel()].copy_(mean)

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
        """Compute q = C(``mean`` + ``error``), and write q to every worker's part of ``out``, or add it to ``add_to``.

        Args:
            compressor: The compressor C, which is applied to each server's shard.
            mean: The vector that ``push`` returned, of shape ``[numel]``: the shards of all servers.
            out: Receives q for every worker; of shape ``[world_size · numel]``. Give either ``out`` or ``add_to``.
            add_to: A vector of shape ``[world_size · numel]``. ``weight`` · q is added to every worker's part.
            weight: The factor of q, used only with ``add_to``.
            error: The error memories of all servers, of shape ``[numel]``; it becomes ``mean`` + ``error`` − q. None if
                the method has none.

        Returns:
            ``out`` or ``add_to``.

        Raises:
            NonFiniteMessageError: If q is not finite; ``error`` then keeps its value.
        """
        self._rng.begin_pull()
        is_exact = isinstance(compressor, Identity)
        wanted = mean.clone() if error is None else mean + error
        q = torch.empty_like(wanted)
        for shard in self.shards(q.numel()):
            place = slice(shard.start, shard.stop)
            one = self._rng.given_to(compressor, shard=shard.owner, sender=shard.owner)
            message = one.compress(wanted[place], None if is_exact or error is None else wanted[place])
            self._require_finite([one], [message])
            one.decompress(message, q[place])
        if error is not None:
            error.zero_() if is_exact else error.copy_(wanted)
        target = out if add_to is None else add_to
        assert target is not None, "a pull needs either out or add_to"
        rows = target.view(self.world_size, -1)
        rows.copy_(q.expand_as(rows)) if add_to is None else rows.add_(q, alpha=weight)
        return target

    def gather(
        self,
        compressor: Compressor,
        vector: Tensor,
        *,
        out: Tensor,
        residual: Tensor | None = None,
        combine: Combine | None = None,
    ) -> Tensor:
        """Compute one result from all workers' compressed vectors, and copy the result to each part of ``out``.

        The arguments are those of ``Exchange.gather``, but ``vector``, ``out`` and ``residual`` have the shape
        ``[world_size · numel]``: one part of shape ``[numel]`` per worker. The result has the shape ``[numel]``. It is
        the mean of the decompressed messages, unless ``combine`` is given. Return ``out``.
        """
        self._rng.begin_push()
        vectors, residuals = self._of_workers(vector), self._residuals(residual)
        compressors = [self._rng.given_to(compressor, shard=rank, sender=rank) for rank in range(self.world_size)]
        messages = [one.compress(v, r) for one, v, r in zip(compressors, vectors, residuals, strict=True)]
        self._require_finite(compressors, messages)
        result = torch.empty(vector.numel() // self.world_size)
        if combine is None:
            self._average(compressors, messages, result)
        else:
            combine(messages, result)
        rows = out.view(self.world_size, -1)
        rows.copy_(result.expand_as(rows))
        return out

    def keep_residual(self, compressor: Compressor, vector: Tensor) -> None:
        """Replace each worker's part v of ``vector`` by v − C(v), where C is ``compressor``. Nothing is sent.

        C compresses each server's shard of v separately. ``vector`` has the shape ``[world_size · numel]``.
        """
        for rank, v in enumerate(self._of_workers(vector)):
            for shard in self.shards(v.numel()):
                piece = v[shard.start : shard.stop]
                self._rng.given_to(compressor, shard=shard.owner, sender=rank).compress(piece, residual=piece)

    def _of_workers(self, vector: Tensor) -> list[Tensor]:
        """Split a vector of shape ``[world_size · numel]`` into one part per worker, and return the parts."""
        return list(vector.view(self.world_size, -1))

    def _residuals(self, residual: Tensor | None) -> Sequence[Tensor | None]:
        """Return every worker's part of ``residual``; if ``residual`` is None, return a None per worker."""
        return [None] * self.world_size if residual is None else self._of_workers(residual)

    def _average(self, compressors: Sequence[Compressor], messages: Sequence[Message], out: Tensor) -> None:
        weight = 1 / self.world_size
        if not compressors[0].decodes_by_sender:
            compressors[0].sum_messages(messages, out, weight=weight)
            return
        for rank, (compressor, message) in enumerate(zip(compressors, messages, strict=True)):
            compressor.decompress(message, out, accumulate=rank > 0, weight=weight)

    def _require_finite(self, compressors: Sequence[Compressor], messages: Sequence[Message]) -> None:
        if not all(one.is_finite(message) for one, message in zip(compressors, messages, strict=True)):
            raise NonFiniteMessageError
