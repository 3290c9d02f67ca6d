"""Exchange of vectors over a torch process group: through a server, or from every rank to every other."""

import functools
from collections.abc import Callable

import torch
import torch.distributed as dist
from torch import Tensor

from liecbench.algorithms.comm.exchange import Combine, Exchange, NonFiniteMessageError
from liecbench.algorithms.comm.fitting_transport import fitting_transport
from liecbench.algorithms.comm.message_sum import MessageSum
from liecbench.algorithms.comm.pacing import Pacer
from liecbench.algorithms.comm.partition import ServerPlace, Shard
from liecbench.algorithms.comm.path import Path
from liecbench.algorithms.comm.shard_compressors import ShardCompressors, total_message_bytes
from liecbench.algorithms.comm.timing import Stopwatch
from liecbench.algorithms.comm.transport import Traffic, Transport
from liecbench.compressors.base import Compressor, Message
from liecbench.compressors.identity import Identity

_CPU = torch.device("cpu")


class GroupExchange(Exchange):
    """Sends vectors of the ranks of a process group to a server and back, or to all ranks.

    Payload bytes, messages and seconds are counted by ``watch``.

    Args:
        group: The process group of the ranks that take part.
        server: The place of the server, ``root`` or ``sharded``.
        watch: Counts and times the exchange, on the clock of ``device``.
        pacer: Emulates slow links; None leaves the links at their own speed.
        path: The slowest path between two ranks; None if it is unknown. Over a path with delay, the exchange sends
            more messages before it waits for an answer.
        device: The device of the vectors.
        transport: Moves the messages; by default the one that fits ``device`` and ``group``.
        on_flag: A function for asynchronous transports. ``pull`` and ``gather`` pass it a boolean tensor of shape
            ``[]``: True if the values of all messages are finite. Without such a function, and on synchronous
            transports, ``pull`` and ``gather`` raise NonFiniteMessageError if a value is not finite.
    """

    def __init__(
        self,
        group: dist.ProcessGroup,
        server: ServerPlace,
        watch: Stopwatch,
        *,
        pacer: Pacer | None = None,
        path: Path | None = None,
        device: torch.device = _CPU,
        transport: Transport | None = None,
        on_flag: Callable[[Tensor], None] | None = None,
    ) -> None:
        super().__init__(group.rank(), group.size(), server)
        self._watch, self._device = watch, device
        self._transport = transport or fitting_transport(device, group, server, watch, pacer, path)
        self._on_flag = on_flag if self._transport.is_async else None
        self._scratch = torch.empty(0, device=device)
        self._peers = [peer for peer in range(self.world_size) if peer != self.rank]
        self._messages = ShardCompressors(self.rank)

    def begin(self, step: int, block: int) -> None:
        """Make the random numbers of the following calls depend on this ``step`` and ``block``."""
        self._messages.rng.begin(step, block)

    def push(
        self, compressor: Compressor, vector: Tensor, *, residual: Tensor | None = None, out: Tensor | None = None
    ) -> Tensor:
        """Send each shard of ``vector``, compressed, to the shard's server; return the mean that this rank computes.

        This rank computes the mean, over all workers, of the compressed shard that it serves. If this rank serves no
        shard, the mean is empty. Over Gloo, a shard is compressed while earlier shards are in flight. The arguments are
        those of ``Exchange.push``.
        """
        self._messages.rng.begin_push()
        own, compressors = self.local_shard(vector.numel()), self._compressors(compressor, vector.numel())
        mean = self._scratch_of(own.numel) if out is None else out[own.start : own.stop]
        total = MessageSum(
            mean,
            weight=1 / self.world_size,
            batch_bytes=vector.nbytes if self._transport.owns_recv_buffers else 0,
            watch=self._watch,
        )
        # Receive buffers to use again: those of messages that have been added, and the scratch memory if it is free.
        reusable = out is not None and not self._transport.owns_recv_buffers
        spare = self._message_in_scratch(compressor, own.numel) if reusable else []

        def message_for(shard: Shard) -> Message:
            piece = slice(shard.start, shard.stop)
            with self._watch.timed("compress_seconds", "compress"):
                return compressors[shard].compress(vector[piece], None if residual is None else residual[piece])

        traffic = Traffic({s.owner: functools.partial(message_for, s) for s in compressors if s != own})
        traffic.is_dense, traffic.total_bytes = isinstance(compressor, Identity), total_message_bytes(compressors)
        if own in compressors:
            traffic.incoming = dict.fromkeys(
                self._peers,
                lambda: spare.pop() if spare else self._transport.recv_buffer(compressors[own], own.numel),
            )
            traffic.overlap = lambda: total.add(message_for(own), compressors[own])
        with self._watch.transfer():
            for sender, message in self._transport.exchange(traffic, limit_bytes=vector.nbytes):
                total.add(message, self._messages.decoder(compressors[own], own, sender))
                if not self._transport.owns_recv_buffers:
                    spare.append(message)
        total.flush()
        return mean

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
        """Send q = C(``mean`` + ``error``) from each shard's server to every worker.

        The arguments are those of ``Exchange.pull``. Return ``add_to`` if ``add_to`` is given, else ``out``.
        """
        target = out if add_to is None else add_to
        assert target is not None, "a pull needs either out or add_to"
        accumulate = add_to is not None
        assert accumulate or weight == 1, "a weight needs add_to"
        self._messages.rng.begin_pull()
        own, is_exact = self.local_shard(target.numel()), isinstance(compressor, Identity)
        overlaps = mean.data_ptr() == target[own.start :].data_ptr()
        assert is_exact or error is None or not overlaps, "out would overwrite the residual in mean"
        compressors = self._compressors(compressor, target.numel())
        shards = {shard.owner: shard for shard in compressors}
        finite: list[Tensor] = []

        def deliver(shard: Shard, message: Message) -> None:
            place = target[shard.start : shard.stop]
            with self._watch.timed("compress_seconds", "decompress"):
                if message.payload.data_ptr() != place.data_ptr():  # else the message was received in place
                    decoder = self._messages.decoder(compressors[shard], shard, shard.owner)
                    decoder.decompress(message, place, accumulate, weight)
                finite.append(compressors[shard].is_finite(message))

        def buffer_for(shard: Shard) -> Message:
            if is_exact and not accumulate and self._transport.receives_in_place:
                return compressor.compress(target[shard.start : shard.stop])
            return self._transport.recv_buffer(compressors[shard], shard.numel)

        traffic = Traffic(incoming={s.owner: functools.partial(buffer_for, s) for s in compressors if s != own})
        traffic.is_dense, traffic.total_bytes = is_exact, total_message_bytes(compressors)
        if own in compressors:
            answer = self._answer(compressors[own], mean, error)
            traffic.outgoing = dict.fromkeys(self._peers, lambda: answer)
            traffic.overlap = lambda: deliver(own, answer)
        with self._watch.transfer():
            for owner, message in self._transport.exchange(traffic, limit_bytes=target.nbytes):
                deliver(shards[owner], message)
        self._check(finite)
        if error is not None:
            error.zero_() if is_exact else error.copy_(mean)
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
        """Send C(``vector``) to every other rank, and write the mean of all ranks' C(``vector``) to ``out``.

        If ``combine`` is given, ``combine`` computes a result from all messages, and ``out`` receives this result
        instead of the mean. Return ``out``. The arguments are those of ``Exchange.gather``.
        """
        # The messages of all ranks are in memory at the same time, because every rank must add them in the same order.
        self._messages.rng.begin_push()
        decoders = [self._messages.rng.given_to(compressor, shard=rank, sender=rank) for rank in range(self.world_size)]
        with self._watch.timed("compress_seconds", "compress"):
            own = decoders[self.rank].compress(vector, residual)
        if own.payload.data_ptr() == out.data_ptr():  # an uncompressed message is the vector itself
            own = Message(own.payload.clone(), own.numel)
        messages = dict.fromkeys(range(self.world_size), own)
        traffic = Traffic(
            outgoing=dict.fromkeys(self._peers, lambda: own),
            incoming=dict.fromkeys(self._peers, lambda: self._transport.recv_buffer(compressor, vector.numel())),
            is_dense=isinstance(compressor, Identity),
            total_bytes=self.world_size * compressor.message_bytes(vector.numel()),
        )
        with self._watch.transfer():
            messages.update(self._transport.exchange(traffic, limit_bytes=vector.nbytes * self.world_size))
        with self._watch.timed("compress_seconds", "decompress"):
            if combine is not None:
                combine(list(messages.values()), out)
            else:
                for rank, message in messages.items():
                    decoders[rank].decompress(message, out, accumulate=rank > 0, weight=1 / self.world_size)
            finite = [decoders[rank].is_finite(message) for rank, message in messages.items()]
        self._check(finite)
        return out

    def keep_residual(self, compressor: Compressor, vector: Tensor) -> None:
        """Replace each shard s of ``vector`` by s − C(s), where C is ``compressor``. Nothing is sent."""
        for shard, shard_compressor in self._compressors(compressor, vector.numel()).items():
            piece = vector[shard.start : shard.stop]
            shard_compressor.compress(piece, residual=piece)

    def _compressors(self, compressor: Compressor, numel: int) -> dict[Shard, Compressor]:
        """Return the compressor of this rank's message for each shard of a vector of ``numel`` elements."""
        return self._messages.of(compressor, self.shards(numel))

    def _answer(self, compressor: Compressor, mean: Tensor, error: Tensor | None) -> Message:
        """Return the compressed sum ``mean`` + ``error``, or the compressed ``mean`` if ``error`` is None.

        If ``error`` is given, ``mean`` receives what compression loses of the sum. If ``compressor`` is ``Identity``,
        which loses nothing, ``mean`` receives the sum instead.
        """
        with self._watch.timed("compress_seconds", "compress"):
            if error is None:
                return compressor.compress(mean)
            mean.add_(error)
            return compressor.compress(mean, None if isinstance(compressor, Identity) else mean)

    def _scratch_of(self, numel: int) -> Tensor:
        if self._scratch.numel() < numel:
            self._scratch = torch.empty(numel, device=self._device)
        return self._scratch[:numel]

    def _check(self, finite: list[Tensor]) -> None:
        # Join the flags of all shards, so that the host waits for a GPU only once.
        flag = torch.stack(finite).all() if finite else torch.tensor(True)
        if self._on_flag is not None:
            self._on_flag(flag)
        elif not flag:
            raise NonFiniteMessageError

    def _message_in_scratch(self, compressor: Compressor, numel: int) -> list[Message]:
        """Return a list with one message to receive into, whose payload is a part of the scratch memory.

        The payload has the size of a compressed message of ``numel`` elements. The list is empty if this size is 0, or
        exceeds the size of the scratch memory.
        """
        payload, size = self._scratch.view(torch.uint8), compressor.message_bytes(numel)
        return [Message(payload[:size], numel)] if 0 < size <= payload.numel() else []
