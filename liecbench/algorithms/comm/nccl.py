"""Messages of vectors on a GPU over NCCL, all in one call."""

from collections.abc import Callable, Iterator

import torch
import torch.distributed as dist

from liecbench.algorithms.comm.counters import Stopwatch
from liecbench.algorithms.comm.shards import ServerPlace
from liecbench.algorithms.comm.transport import Traffic, Transport
from liecbench.compressors.base import Compressor, Message


class AtOnce(Transport):
    """Over NCCL: sends and receives in one call, which the GPU carries out while the host goes on.

    A root's dense messages go peer by peer, so that it needs no room for all workers' vectors. Both ends of every
    message group them alike, without which NCCL would wait in a circle.
    """

    gives_room = True
    answers_late = True

    def __init__(self, group: dist.ProcessGroup, server: ServerPlace, watch: Stopwatch, device: torch.device) -> None:
        super().__init__(group, server, watch)
        self._device = device
        dist.all_reduce(torch.zeros(1, device=device), group=group)  # connects all ranks, before any step is timed

    def room(self, compressor: Compressor, numel: int) -> Message:
        """On the GPU."""
        return compressor.empty_message(numel, self._device)

    def swap(self, traffic: Traffic, *, limit_bytes: int) -> Iterator[tuple[int, Message]]:
        """Move the traffic; all of it has room at once, but for a root's dense messages."""
        distances = list(range(1, self._world_size))
        one_by_one = traffic.dense and self._server == "root" and distances
        meanwhile: Callable[[], None] | None = traffic.meanwhile
        for together in [[distance] for distance in distances] if one_by_one else [distances]:
            for source, message in self._exchange(traffic, together, meanwhile):
                self._watch.counters.received_bytes += message.payload_bytes
                yield source, message
            meanwhile = None

    def _exchange(
        self, traffic: Traffic, distances: list[int], meanwhile: Callable[[], None] | None
    ) -> list[tuple[int, Message]]:
        """Send to and receive from the peers at these distances; what comes is there when it is used on the stream."""
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
        if meanwhile is not None:
            meanwhile()
        if works:
            with self._watch.timed("communicate_seconds", "wait"):
                for work in works:
                    work.wait()
        return arriving
