"""What travels: the mean of the workers' vectors through a server and back."""

import dataclasses
import functools
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Literal

import torch
import torch.distributed as dist
from torch import Tensor

from liecbench.algorithms.pacing import Pacer
from liecbench.algorithms.shards import ServerPlace, Shard, cut
from liecbench.algorithms.tracing import Tracer
from liecbench.compressors.base import Compressor, Draw, Message
from liecbench.compressors.identity import Identity

# Sends under way together. The second of two small messages is on the link while the first one's receiver finds time
# to answer: a compressed step took 0.9 of its time. Of two dense ones each slows the other, and who waits for it.
_AHEAD_COMPRESSED, _AHEAD_DENSE = 2, 1


class NonFiniteMessageError(FloatingPointError):
    """A message that is not finite; every rank of the exchange raises it for the same one."""


@dataclass(slots=True)
class Counters:
    """What an exchange has moved and how long it took, since it was made; seconds are wall time on its thread."""

    sent_bytes: int = 0
    received_bytes: int = 0
    sent_messages: int = 0
    compress_seconds: float = 0.0
    communicate_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Moving:
    """A message under way to or from a peer."""

    message: Message
    peer: int
    work: dist.Work


class Exchange:
    """Mean-through-a-server over a process group; counts its payload and times itself.

    ``to_server`` and ``from_server`` are the two halves. ``begin`` names the step and the block that they serve, from
    which random compressors take their numbers.
    """

    def __init__(
        self,
        group: dist.ProcessGroup,
        server: ServerPlace,
        counters: Counters,
        pacer: Pacer | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self.rank, self.world_size, self.counters = group.rank(), group.size(), counters
        self._group, self._server, self._pacer = group, server, pacer
        self._tracer = tracer or Tracer()
        self._scratch = torch.empty(0)
        self._peers = [peer for peer in range(self.world_size) if peer != self.rank]
        self.begin(step=0, block=0)

    def shards(self, numel: int) -> list[Shard]:
        """How a vector of this length is cut."""
        return cut(numel, self.world_size, self._server)

    def served(self, numel: int) -> Shard:
        """What this rank serves of such a vector; empty where it serves nothing."""
        return next((shard for shard in self.shards(numel) if shard.owner == self.rank), Shard(self.rank, 0, 0))

    def begin(self, step: int, block: int) -> None:
        """What follows is about this step and block."""
        self._draw, self._stages = Draw(step=step, block=block), count()

    def to_server(
        self, compressor: Compressor, vector: Tensor, *, residual: Tensor | None = None, room: Tensor | None = None
    ) -> Tensor:
        """The workers' mean of C(``vector``) for the shard that this rank serves.

        ``residual``, which may be ``vector``, takes ``vector`` − C(``vector``). The mean stands in ``room``, a vector
        of the same length (it may be ``vector``, too), or in scratch where there is none. Each shard is compressed
        while the one before is under way.
        """
        self._draw = dataclasses.replace(self._draw, stage=next(self._stages), answer=False)
        own, drawn = self.served(vector.numel()), self._drawn(compressor, vector.numel())
        total = self._room(own.numel) if room is None else room[own.start : own.stop]
        # Room for messages to the server: that of those already added, and scratch where the mean is elsewhere.
        spare = [] if room is None else self._message_in_scratch(compressor, own.numel)

        def message_of(shard: Shard) -> Message:
            piece = slice(shard.start, shard.stop)
            with self._timed("compress_seconds", "compress"):
                return drawn[shard].compress(vector[piece], None if residual is None else residual[piece])

        def add(message: Message, *, first: bool = False) -> None:
            with self._timed("compress_seconds", "decompress"):
                drawn[own].decompress(message, total, accumulate=not first, weight=1 / self.world_size)

        traffic = _Traffic({shard.owner: functools.partial(message_of, shard) for shard in drawn if shard != own})
        traffic.ahead = _ahead(compressor)
        if own in drawn:
            traffic.incoming = dict.fromkeys(
                self._peers, lambda: spare.pop() if spare else drawn[own].empty_message(own.numel)
            )
            traffic.meanwhile = lambda: add(message_of(own), first=True)
        for _, message in self._swap(traffic, limit_bytes=vector.nbytes):
            add(message)
            spare.append(message)
        return total

    def from_server(
        self,
        mean: Tensor,
        compressor: Compressor,
        *,
        out: Tensor,
        accumulate: bool = False,
        weight: float = 1.0,
        memory: Tensor | None = None,
    ) -> Tensor:
        """q = C(``mean`` + ``memory``), the same on every rank, written to ``out`` or ``weight`` · q added to it.

        ``mean`` is what ``to_server`` gave, and is used up. ``memory`` belongs to the shard that this rank serves and
        becomes what C leaves out. Where a message is not finite every rank raises NonFiniteMessageError, and
        ``memory`` keeps its value.
        """
        self._draw = dataclasses.replace(self._draw, answer=True)
        own = self.served(out.numel())
        exact = isinstance(compressor, Identity)
        assert accumulate or weight == 1, "a weight is for accumulation"
        assert exact or memory is None or mean.data_ptr() != out[own.start :].data_ptr(), "the residual needs room"
        drawn = self._drawn(compressor, out.numel())
        shards = {shard.owner: shard for shard in drawn}
        finite = []

        def deliver(shard: Shard, message: Message) -> None:
            place = out[shard.start : shard.stop]
            with self._timed("compress_seconds", "decompress"):
                if message.payload.data_ptr() != place.data_ptr():  # it did not arrive there
                    drawn[shard].decompress(message, place, accumulate, weight)
                finite.append(drawn[shard].is_finite(message))

        def room(shard: Shard) -> Message:
            straight = exact and not accumulate
            if straight:
                return compressor.compress(out[shard.start : shard.stop])
            return drawn[shard].empty_message(shard.numel)

        traffic = _Traffic(incoming={shard.owner: functools.partial(room, shard) for shard in drawn if shard != own})
        traffic.ahead = _ahead(compressor)
        if own in drawn:
            answer = self._answer(drawn[own], mean, memory)
            traffic.outgoing = dict.fromkeys(self._peers, lambda: answer)
            traffic.meanwhile = lambda: deliver(own, answer)
        for owner, message in self._swap(traffic, limit_bytes=out.nbytes):
            deliver(shards[owner], message)
        if not all(finite):
            raise NonFiniteMessageError
        if memory is not None:
            memory.zero_() if exact else memory.copy_(mean)
        return out

    def mean(self, vector: Tensor) -> Tensor:
        """The workers' mean of ``vector``, in full precision and in place."""
        identity = Identity()
        return self.from_server(self.to_server(identity, vector, room=vector), identity, out=vector)

    def leave_residual(self, compressor: Compressor, vector: Tensor) -> None:
        """Replace ``vector`` by what C leaves out of it, as ``to_server`` would; nothing travels."""
        for shard, drawn in self._drawn(compressor, vector.numel()).items():
            piece = vector[shard.start : shard.stop]
            drawn.compress(piece, residual=piece)

    def _drawn(self, compressor: Compressor, numel: int) -> dict[Shard, Compressor]:
        """The compressor of every shard, with the random numbers of what is under way."""
        draw = dataclasses.replace(self._draw, sender=self.rank)
        return {s: compressor.drawn(dataclasses.replace(draw, shard=s.owner)) for s in self.shards(numel)}

    def _swap(self, traffic: "_Traffic", *, limit_bytes: int) -> Iterator[tuple[int, Message]]:
        """Send in rotation, to a peer when one of those before is heard from, and yield what comes meanwhile.

        With all sends at once a rank's link carries as many flows, and all ranks' first flows may meet at one: dense
        shards took 1.2 to 1.3 times the wire time so, 1.0 times in rotation. A root has nobody to hear from on the way
        down, where its link is the only one that is busy. Messages that have room at once take ``limit_bytes``, or one.
        """
        outgoing, incoming = traffic.outgoing, traffic.incoming
        distances = range(1, self.world_size)
        if traffic.ahead == _AHEAD_DENSE and self._server == "sharded":
            self._align()
        sources = [(self.rank - distance) % self.world_size for distance in distances]
        awaited = _Awaited([(peer, incoming[peer]) for peer in sources if peer in incoming], limit_bytes, self._receive)
        sending: list[_Moving] = []
        unheard = deque[int]()
        for distance, source in zip(distances, sources, strict=True):
            target = (self.rank + distance) % self.world_size
            message = outgoing[target]() if target in outgoing else None
            heard_from = unheard.popleft() if len(unheard) == traffic.ahead else None
            arrived = self._wait(awaited.next()) if heard_from in incoming else None
            if message is not None:
                sending.append(self._send(message, target))
            if distance == 1:
                traffic.meanwhile()
            if heard_from is not None and arrived is not None:
                yield heard_from, arrived
                awaited.release(arrived)
            unheard.append(source)
        if not sources:
            traffic.meanwhile()
        for heard_from in unheard:
            if heard_from in incoming:
                arrived = self._wait(awaited.next())
                yield heard_from, arrived
                awaited.release(arrived)
        with self._timed("communicate_seconds", "send"):
            for moving in sending:
                moving.work.wait()

    def _align(self) -> None:
        """Begin together: a rank that is a message behind meets another's at every receiver.

        Nothing mended that: one run in two, dense steps took twice the wire time, for epochs on end.
        """
        with self._timed("communicate_seconds", "wait"):
            dist.barrier(self._group)

    def _answer(self, compressor: Compressor, mean: Tensor, memory: Tensor | None) -> Message:
        """C(``mean`` + ``memory``); with a memory ``mean`` becomes what that leaves out, unless it is the message."""
        with self._timed("compress_seconds", "compress"):
            if memory is None:
                return compressor.compress(mean)
            mean.add_(memory)
            return compressor.compress(mean, None if isinstance(compressor, Identity) else mean)

    def _room(self, numel: int) -> Tensor:
        if self._scratch.numel() < numel:
            self._scratch = torch.empty(numel)
        return self._scratch[:numel]

    def _message_in_scratch(self, compressor: Compressor, numel: int) -> list[Message]:
        """Room for one message where the scratch that is there has it."""
        payload, size = self._scratch.view(torch.uint8), compressor.payload_bytes(numel) if numel else 0
        return [Message(payload[:size], numel)] if 0 < size <= payload.numel() else []

    def _send(self, message: Message, peer: int) -> _Moving:
        self.counters.sent_bytes += message.payload_bytes
        self.counters.sent_messages += 1
        with self._timed("communicate_seconds", "send"):
            if self._pacer is not None and self._pacer.holds:
                self._pacer.depart(peer, message.payload_bytes)
            work = dist.isend(message.payload, group=self._group, group_dst=peer)
        assert work is not None, "this rank belongs to the group"
        return _Moving(message, peer, work)

    def _receive(self, message: Message, peer: int) -> _Moving:
        with self._timed("communicate_seconds", "wait"):
            work = dist.irecv(message.payload, group=self._group, group_src=peer)
        assert work is not None, "this rank belongs to the group"
        return _Moving(message, peer, work)

    def _wait(self, arriving: _Moving) -> Message:
        with self._timed("communicate_seconds", "wait"):
            arriving.work.wait()
            if self._pacer is not None and self._pacer.holds:
                self._pacer.arrive(arriving.peer, arriving.message.payload_bytes)
        self.counters.received_bytes += arriving.message.payload_bytes
        return arriving.message

    @contextmanager
    def _timed(
        self,
        counter: Literal["compress_seconds", "communicate_seconds"],
        span: Literal["compress", "decompress", "send", "wait"],
    ) -> Iterator[None]:
        start = time.perf_counter()
        yield
        end = time.perf_counter()
        setattr(self.counters, counter, getattr(self.counters, counter) + end - start)
        self._tracer.add(span, "communication", start, end)


def _ahead(compressor: Compressor) -> int:
    return _AHEAD_DENSE if isinstance(compressor, Identity) else _AHEAD_COMPRESSED


@dataclass(slots=True)
class _Traffic:
    """What a rank sends to and receives from its peers; ``meanwhile`` runs once, behind the first message sent."""

    outgoing: dict[int, Callable[[], Message]] = field(default_factory=dict)
    incoming: dict[int, Callable[[], Message]] = field(default_factory=dict)
    meanwhile: Callable[[], None] = lambda: None
    ahead: int = _AHEAD_DENSE


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
