"""NCCL transport: a push or pull makes all its sends and receives in one call of NCCL."""

from collections.abc import Callable, Iterator

import torch
import torch.distributed as dist

from liecbench.algorithms.comm.partition import ServerPlace
from liecbench.algorithms.comm.timing import Stopwatch
from liecbench.algorithms.comm.transport import Traffic, Transport
from liecbench.compressors.base import Compressor, Message


class NcclTransport(Transport):
    """A transport that moves all messages of an exchange in one call of NCCL, while the host goes on.

    Uncompressed messages with a root server are an exception, so that the root never holds the vectors of all workers
    at once. They move in several calls: the first sends from each rank to rank + 1, the second to rank + 2, and so on.
    All ranks group their sends and receives in the same way, because NCCL would deadlock otherwise.
    """

    owns_recv_buffers = True
    is_async = True

    def __init__(self, group: dist.ProcessGroup, server: ServerPlace, watch: Stopwatch, device: torch.device) -> None:
        super().__init__(group, server, watch)
        self._device = device
        dist.all_reduce(torch.zeros(1, device=device), group=group)  # connects all ranks, before any step is timed

    def recv_buffer(self, compressor: Compressor, numel: int) -> Message:
        """Return an uninitialised message for ``numel`` elements on the GPU."""
        return compressor.empty_message(numel, self._device)

    def exchange(self, traffic: Traffic, *, limit_bytes: int) -> Iterator[tuple[int, Message]]:
        """Send and receive all messages, and yield (sender's rank, message) for each received message.

        All messages move at once, unless they are uncompressed and the server is ``root``. Then they move in turns: in
        turn d = 1, 2, and so on, each rank sends only to rank + d, modulo the number of ranks. ``limit_bytes`` is
        ignored.
        """
        distances = list(range(1, self._world_size))
        one_by_one = traffic.is_dense and self._server == "root" and distances
        overlap: Callable[[], None] | None = traffic.overlap
        for together in [[distance] for distance in distances] if one_by_one else [distances]:
            for source, message in self._batch(traffic, together, overlap):
                self._watch.counters.received_bytes += message.payload_bytes
                yield source, message
            overlap = None

    def _batch(
        self, traffic: Traffic, distances: list[int], overlap: Callable[[], None] | None
    ) -> list[tuple[int, Message]]:
        """Send to rank + d and receive from rank − d, for each d in ``distances``, in one call of NCCL.

        The messages are those of ``traffic``, at most one per peer and direction. Unless ``overlap`` is None, call
        ``overlap`` while the messages are under way. Return (sender's rank, message) for each received message. The
        host does not wait for the transfers. Work that is issued later on the current stream waits for the transfers.
        """
        targets = [(self._rank + distance) % self._world_size for distance in distances]
        sources = [(self._rank - distance) % self._world_size for distance in distances]
        outgoing = [(peer, traffic.outgoing[peer]()) for peer in targets if peer in traffic.outgoing]
        arriving = [(peer, traffic.incoming[peer]()) for peer in sources if peer in traffic.incoming]
        for _, message in outgoing:
            self._count_sent(message)
        operations = [
            *(dist.P2POp(dist.isend, m.payload, group=self._group, group_peer=peer) for peer, m in outgoing),
            *(dist.P2POp(dist.irecv, m.payload, group=self._group, group_peer=peer) for peer, m in arriving),
        ]
        works = dist.batch_isend_irecv(operations) if operations else []
        if overlap is not None:
            overlap()
        if works:
            with self._watch.timed("communicate_seconds", "wait"):
                for work in works:
                    work.wait()
        return arriving
