"""Messages one after the other, to a peer when one of those before is heard from: over Gloo."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import torch.distributed as dist

from liecbench.algorithms.comm.counters import Stopwatch
from liecbench.algorithms.comm.pacing import Pacer
from liecbench.algorithms.comm.shards import ServerPlace
from liecbench.algorithms.comm.transport import Traffic, Transport
from liecbench.compressors.base import Compressor, Message


@dataclass(frozen=True, slots=True)
class _Moving:
    """A message under way to or from a peer."""

    message: Message
    peer: int
    work: dist.Work


class Rotation(Transport):
    """Over Gloo: to a peer when one of those before is heard from.

    With all sends at once a rank's link carries as many flows, and all ranks' first flows may meet at one: dense
    shards took 1.2 to 1.3 times the wire time so, 1.0 times in rotation. A root has nobody to hear from on the way
    down, where its link is the only one that is busy.
    """

    # Sends under way together. The second of two small messages is on the link while the first one's receiver finds
    # time to answer: a compressed step took 0.9 of its time. Of two dense ones each slows the other, and who waits.
    _AHEAD_COMPRESSED: Final = 2
    _AHEAD_DENSE: Final = 1

    def __init__(
        self, group: dist.ProcessGroup, server: ServerPlace, watch: Stopwatch, pacer: Pacer | None = None
    ) -> None:
        super().__init__(group, server, watch)
        self._pacer = pacer

    def room(self, compressor: Compressor, numel: int) -> Message:
        """On the host, where Gloo receives."""
        return compressor.empty_message(numel)

    def swap(self, traffic: Traffic, *, limit_bytes: int) -> Iterator[tuple[int, Message]]:
        """Move the traffic in rotation; what has room at once takes ``limit_bytes``, or is one message."""
        outgoing, incoming = traffic.outgoing, traffic.incoming
        ahead = self._AHEAD_DENSE if traffic.dense else self._AHEAD_COMPRESSED
        distances = range(1, self._world_size)
        if traffic.dense and self._server == "sharded":
            self._align()
        sources = [(self._rank - distance) % self._world_size for distance in distances]
        awaited = _Awaited([(peer, incoming[peer]) for peer in sources if peer in incoming], limit_bytes, self._receive)
        sending: list[_Moving] = []
        unheard = deque[int]()
        for distance, source in zip(distances, sources, strict=True):
            target = (self._rank + distance) % self._world_size
            message = outgoing[target]() if target in outgoing else None
            heard_from = unheard.popleft() if len(unheard) == ahead else None
            arrived = self._wait(awaited.next()) if heard_from in incoming else None
            if message is not None:
                sending.append(self._send(message, target))
            if distance == 1:
                traffic.meanwhile()
            if heard_from is not None and arrived is not None:
                yield heard_from, self._brought(arrived)
                awaited.release(arrived)
            unheard.append(source)
        if not sources:
            traffic.meanwhile()
        for heard_from in unheard:
            if heard_from in incoming:
                arrived = self._wait(awaited.next())
                yield heard_from, self._brought(arrived)
                awaited.release(arrived)
        with self._watch.timed("communicate_seconds", "send"):
            for moving in sending:
                moving.work.wait()

    def _align(self) -> None:
        """Begin together: a rank that is a message behind meets another's at every receiver.

        Nothing mended that: one run in two, dense steps took twice the wire time, for epochs on end.
        """
        with self._watch.timed("communicate_seconds", "wait"):
            dist.barrier(self._group)

    def _send(self, message: Message, peer: int) -> _Moving:
        self._count_sent(message)
        fetched = self._fetched(message)
        with self._watch.timed("communicate_seconds", "send"):
            if self._pacer is not None and self._pacer.holds:
                self._pacer.depart(peer, message.payload_bytes)
            work = dist.isend(fetched.payload, group=self._group, group_dst=peer)
        assert work is not None, "this rank belongs to the group"
        return _Moving(fetched, peer, work)

    def _receive(self, message: Message, peer: int) -> _Moving:
        with self._watch.timed("communicate_seconds", "wait"):
            work = dist.irecv(message.payload, group=self._group, group_src=peer)
        assert work is not None, "this rank belongs to the group"
        return _Moving(message, peer, work)

    def _wait(self, arriving: _Moving) -> Message:
        with self._watch.timed("communicate_seconds", "wait"):
            arriving.work.wait()
            if self._pacer is not None and self._pacer.holds:
                self._pacer.arrive(arriving.peer, arriving.message.payload_bytes)
        self._watch.counters.received_bytes += arriving.message.payload_bytes
        return arriving.message

    def _fetched(self, message: Message) -> Message:
        """What Gloo sends for a message."""
        return message

    def _brought(self, message: Message) -> Message:
        """A message that has come, where it is wanted."""
        return message


class _Awaited:
    """Receives in the order given, started early as far as room allows."""

    def __init__(
        self,
        incoming: list[tuple[int, Callable[[], Message]]],
        limit_bytes: int,
        receive: Callable[[Message, int], _Moving],
    ) -> None:
        self._incoming, self._started = deque(incoming), deque[_Moving]()
        self._room, self._receive = limit_bytes, receive
        self._start()

    def next(self) -> _Moving:
        """The first that has not been asked for."""
        return self._started.popleft()

    def release(self, message: Message) -> None:
        """The room of ``message`` is free again."""
        self._room += message.payload_bytes
        self._start()

    def _start(self) -> None:
        while self._incoming and self._room > 0:
            peer, room = self._incoming.popleft()
            message = room()
            self._room -= message.payload_bytes
            self._started.append(self._receive(message, peer))
