"""Gloo transport: point-to-point sends in rotation, so that at any time each rank sends to a different peer."""

import functools
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch.distributed as dist

from liecbench.algorithms.comm.pacing import Pacer
from liecbench.algorithms.comm.partition import ServerPlace
from liecbench.algorithms.comm.path import UNKNOWN_PATH, Path
from liecbench.algorithms.comm.timing import Stopwatch
from liecbench.algorithms.comm.transport import Traffic, Transport
from liecbench.compressors.base import Compressor, Message


@dataclass(frozen=True, slots=True)
class _Transfer:
    """A message in flight to or from the rank ``peer``, and the handle to wait for its transfer."""

    message: Message
    peer: int
    work: dist.Work


class GlooTransport(Transport):
    """Sends to one peer after the other, in rotation: rank r sends first to rank r + 1, then to r + 2, and so on.

    A rank limits the number of its messages in flight, separately for sent and received messages. The limit is the
    number of messages that keep the slowest path between two ranks busy. The updates that a root server sends are not
    limited. With a sharded server and more than two ranks, an exchange begins with a barrier of all ranks if the
    barrier is short compared with the transfer.

    Args:
        group: The ranks that exchange messages.
        server: The place of the server.
        watch: Times the exchanges, and counts their messages and bytes.
        pacer: Emulates slow links; None leaves the links at their own speed.
        path: The slowest path between two ranks. If the path is unknown (None), the limit is one uncompressed message
            or two compressed messages.
    """

    # If all sends started at once, they would slow each other down: dense shards took 1.2 to 1.3 times the wire time,
    # and in rotation 1.0 times. A root server need not wait, because no other rank sends while it sends updates.
    # Receives are limited, too: Gloo sends a message only when its receiver has started to receive, so a rank that is
    # ahead does not share the receiver's link with the rank whose turn it is.

    def __init__(
        self,
        group: dist.ProcessGroup,
        server: ServerPlace,
        watch: Stopwatch,
        pacer: Pacer | None = None,
        path: Path | None = None,
    ) -> None:
        super().__init__(group, server, watch)
        self._pacer, self._path = pacer, path or UNKNOWN_PATH

    def recv_buffer(self, compressor: Compressor, numel: int) -> Message:
        """Return an uninitialised message for ``numel`` elements in host memory, because Gloo receives only there."""
        return compressor.empty_message(numel)

    def exchange(self, traffic: Traffic, *, limit_bytes: int) -> Iterator[tuple[int, Message]]:
        """Send to one peer after the other, and yield (sender's rank, message) for each received message.

        A message is valid until the caller requests the next message. Then the message's receive buffer is freed.
        Together, the receive buffers never take more than ``limit_bytes`` plus the size of one buffer.
        """
        outgoing, incoming = traffic.outgoing, traffic.incoming
        distances = range(1, self._world_size)
        if is_aligned := self.barrier_trips(traffic) > 0:
            self._align_ranks()
        one_by_one = traffic.is_dense or is_aligned
        sources = [(self._rank - distance) % self._world_size for distance in distances]
        receives = _Receives(
            [(peer, incoming[peer]) for peer in sources if peer in incoming],
            limit_bytes,
            self._recv,
            self._wait,
            functools.partial(self._max_in_flight, one_by_one=one_by_one),
        )
        sends: list[_Transfer] = []
        not_heard_from = deque[int]()
        for distance, source in zip(distances, sources, strict=True):
            target = (self._rank + distance) % self._world_size
            message = outgoing[target]() if target in outgoing else None
            is_full = len(not_heard_from) >= self._max_in_flight(message, one_by_one=one_by_one)
            heard_from = not_heard_from.popleft() if is_full else None
            arrived = receives.next() if heard_from in incoming else None
            if message is not None:
                sends.append(self._send(message, target))
            if distance == 1:
                traffic.overlap()
            if heard_from is not None and arrived is not None:
                yield heard_from, self._from_host(arrived)
                receives.release(arrived)
            not_heard_from.append(source)
        if not sources:
            traffic.overlap()
        for heard_from in not_heard_from:
            if heard_from in incoming:
                arrived = receives.next()
                yield heard_from, self._from_host(arrived)
                receives.release(arrived)
        with self._watch.timed("communicate_seconds", "send"):
            for send in sends:
                send.work.wait()

    def barrier_trips(self, traffic: Traffic) -> int:
        """Return the number of one-way trips, made one after the other, that the barrier before an exchange takes.

        Return 0 if there is no barrier, for example because the server is not sharded.
        """
        if self._server != "sharded":
            return 0
        return self._path.barrier_trips(traffic.total_bytes, self._world_size, is_dense=traffic.is_dense)

    def _max_in_flight(self, message: Message | None, *, one_by_one: bool) -> int:
        # A rank that sends nothing waits as if for a message that fills the path by itself.
        num_bytes = sys.maxsize if message is None else message.payload_bytes
        return self._path.sends_in_flight(num_bytes, one_by_one=one_by_one)

    def _align_ranks(self) -> None:
        """Wait until all ranks have called this function, so that all begin to send at the same time.

        Without this barrier, a rank that falls behind sends to the same receiver as another rank, and may stay behind.
        """
        with self._watch.timed("communicate_seconds", "wait"):
            dist.barrier(self._group)

    def _send(self, message: Message, peer: int) -> _Transfer:
        self._count_sent(message)
        on_host = self._to_host(message)
        with self._watch.timed("communicate_seconds", "send"):
            if self._pacer is not None and self._pacer.is_active:
                self._pacer.record_send(peer, message.payload_bytes)
            work = dist.isend(on_host.payload, group=self._group, group_dst=peer)
        assert work is not None, "this rank belongs to the group"
        return _Transfer(on_host, peer, work)

    def _recv(self, message: Message, peer: int) -> _Transfer:
        with self._watch.timed("communicate_seconds", "wait"):
            work = dist.irecv(message.payload, group=self._group, group_src=peer)
        assert work is not None, "this rank belongs to the group"
        return _Transfer(message, peer, work)

    def _wait(self, arriving: _Transfer) -> Message:
        with self._watch.timed("communicate_seconds", "wait"):
            waiting_since = time.monotonic()
            arriving.work.wait()
            if self._pacer is not None and self._pacer.is_active:
                self._pacer.wait_for_arrival(arriving.peer, arriving.message.payload_bytes, waiting_since)
        self._watch.counters.received_bytes += arriving.message.payload_bytes
        return arriving.message

    def _to_host(self, message: Message) -> Message:
        """Return ``message``, which is in host memory already. A subclass copies messages from the GPU here."""
        return message

    def _from_host(self, message: Message) -> Message:
        """Return a received message unchanged. A subclass returns a copy on the device of the vectors."""
        return message


class _Receives:
    """The receives of one exchange, in order.

    A receive starts as soon as few enough receives are in flight, and the buffers in use are small enough. A buffer is
    in use from the start of its receive until ``release``.

    Args:
        incoming: For each message, (the sender's rank, a function that makes the buffer), in the order of receives.
        limit_bytes: A receive starts only while the buffers in use take less than ``limit_bytes``. The buffer of the
            new receive may then exceed the limit.
        receive: ``receive(buffer, rank)`` starts to receive a message from ``rank``, and returns the transfer.
        wait: ``wait(transfer)`` waits for the transfer's message, and returns the message.
        max_in_flight: ``max_in_flight(message)`` returns the largest allowed number of receives in flight, by the size
            of the newest message in flight.
    """

    def __init__(
        self,
        incoming: list[tuple[int, Callable[[], Message]]],
        limit_bytes: int,
        receive: Callable[[Message, int], _Transfer],
        wait: Callable[[_Transfer], Message],
        max_in_flight: Callable[[Message], int],
    ) -> None:
        self._incoming, self._started = deque(incoming), deque[_Transfer]()
        self._free_bytes, self._receive, self._wait = limit_bytes, receive, wait
        self._max_in_flight = max_in_flight
        self._start()

    def next(self) -> Message:
        """Wait for the message of the oldest receive in flight, and return the message.

        Before the call returns, further receives start if the limits on number and memory permit.
        """
        message = self._wait(self._started[0])
        self._started.popleft()
        self._start()
        return message

    def release(self, message: Message) -> None:
        """Free the buffer of ``message``, and start the receives that now have room."""
        self._free_bytes += message.payload_bytes
        self._start()

    def _start(self) -> None:
        while self._incoming and self._free_bytes > 0 and self._may_start():
            peer, make_buffer = self._incoming.popleft()
            buffer = make_buffer()
            self._free_bytes -= buffer.payload_bytes
            self._started.append(self._receive(buffer, peer))

    def _may_start(self) -> bool:
        return not self._started or len(self._started) < self._max_in_flight(self._started[-1].message)
