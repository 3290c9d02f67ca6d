"""How messages get from rank to rank: one after the other in rotation, or all at once in one call."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Final

import torch
import torch.distributed as dist

from liecbench.algorithms.clock import HostClock
from liecbench.algorithms.counters import Stopwatch
from liecbench.algorithms.pacing import Pacer
from liecbench.algorithms.shards import ServerPlace
from liecbench.compressors.base import Compressor, Message


@dataclass(slots=True)
class Traffic:
    """What a rank sends to and receives from its peers; ``meanwhile`` runs once, behind the first message sent.

    ``incoming`` gives the room for what comes from a peer. ``dense`` says that nothing is compressed.
    """

    outgoing: dict[int, Callable[[], Message]] = field(default_factory=dict)
    incoming: dict[int, Callable[[], Message]] = field(default_factory=dict)
    meanwhile: Callable[[], None] = lambda: None
    dense: bool = True


@dataclass(frozen=True, slots=True)
class _Moving:
    """A message under way to or from a peer."""

    message: Message
    peer: int
    work: dist.Work


class Transport(ABC):
    """Moves messages over a process group, and counts them.

    ``arrives_in_place`` says whether what comes can be received where the vectors are, ``gives_room`` whether what
    comes may be kept, and ``answers_late`` whether the host runs ahead of what moves.
    """

    arrives_in_place: ClassVar[bool] = True
    gives_room: ClassVar[bool] = False
    answers_late: ClassVar[bool] = False

    def __init__(self, group: dist.ProcessGroup, server: ServerPlace, watch: Stopwatch) -> None:
        self._group, self._server, self._watch = group, server, watch
        self._rank, self._world_size = group.rank(), group.size()

    @abstractmethod
    def room(self, compressor: Compressor, numel: int) -> Message:
        """Room for a message of ``numel`` elements that comes."""

    @abstractmethod
    def swap(self, traffic: Traffic, *, limit_bytes: int) -> Iterator[tuple[int, Message]]:
        """Move the traffic, and yield what comes and from whom; what has room at once takes about ``limit_bytes``.

        Unless it ``gives_room``, what was yielded is done with when the next is asked for.
        """

    def _count_sent(self, message: Message) -> None:
        self._watch.counters.sent_bytes += message.payload_bytes
        self._watch.counters.sent_messages += 1


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


class Staged(Rotation):
    """Over Gloo for vectors on a GPU: messages are copied to the host, sent, and copied to the GPU where they come.

    ``watch`` is by the GPU's clock and shows the copies; what passes on the host is by the host's.
    """

    arrives_in_place = False
    gives_room = True

    def __init__(
        self,
        group: dist.ProcessGroup,
        server: ServerPlace,
        watch: Stopwatch,
        pacer: Pacer | None,
        device: torch.device,
    ) -> None:
        super().__init__(group, server, watch.by(HostClock()), pacer)
        self._gpu, self._device = watch, device
        self._last: tuple[Message, Message] | None = None

    def room(self, compressor: Compressor, numel: int) -> Message:
        """On the host; every message has its own, because its copy may go on when the next one comes."""
        return self._on_host(compressor.payload_bytes(numel) if numel else 0, numel)

    def swap(self, traffic: Traffic, *, limit_bytes: int) -> Iterator[tuple[int, Message]]:
        """Move the traffic in rotation."""
        yield from super().swap(traffic, limit_bytes=limit_bytes)
        self._last = None

    def _on_host(self, size: int, numel: int) -> Message:
        # Page-locked, from torch's cache: it gives out no memory again before the copies that use it are over.
        return Message(torch.empty(size, dtype=torch.uint8, pin_memory=self._device.type == "cuda"), numel)

    def _fetched(self, message: Message) -> Message:
        if self._last is not None and self._last[0] is message:
            return self._last[1]  # a server's answer goes to every peer
        host = self._on_host(message.payload_bytes, message.numel)
        with self._gpu.timed("communicate_seconds", "copy"):
            host.payload.copy_(message.payload, non_blocking=True)
        if message.payload.is_cuda:
            torch.cuda.current_stream(self._device).synchronize()  # Gloo knows of no stream
        self._last = message, host
        return host

    def _brought(self, message: Message) -> Message:
        with self._gpu.timed("communicate_seconds", "copy"):
            payload = message.payload.to(self._device, non_blocking=True, copy=True)
        return Message(payload, message.numel)


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


def transport_of(
    device: torch.device, group: dist.ProcessGroup, server: ServerPlace, watch: Stopwatch, pacer: Pacer | None
) -> Transport:
    """How messages of vectors on ``device`` travel over ``group``; ``watch`` is by the device's clock."""
    if device.type == "cpu":
        return Rotation(group, server, watch, pacer)
    if "nccl" in dist.get_backend_config(group):
        return AtOnce(group, server, watch, device)
    return Staged(group, server, watch, pacer, device)
