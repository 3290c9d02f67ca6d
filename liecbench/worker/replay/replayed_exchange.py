"""The pushes, pulls and gathers of a replayed step: real messages of the right sizes, but without values."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from liecbench.algorithms.comm.partition import Shard, local_shard_of
from liecbench.algorithms.comm.schedule import Call, Schedule
from liecbench.algorithms.comm.timing import Stopwatch
from liecbench.algorithms.comm.transport import Traffic, Transport
from liecbench.compressors.base import Message
from liecbench.compressors.identity import Identity
from liecbench.network.slowdown import Slowdown
from liecbench.profiles.profile import CompressorTimes
from liecbench.worker.replay.pauses import Pauses

_BYTES_PER_ELEMENT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedExchange:
    """A replay of ``GroupExchange`` on one rank: it sends real messages, but pauses instead of running the compressor.

    Attributes:
        rank: This rank.
        schedule: The pushes, pulls and gathers of a step. Each call of ``make`` replays one push, pull or gather.
        transport: Moves the messages.
        pauses: Makes this rank sleep for the emulated seconds × dilation.
        watch: Counts the exchange's bytes and messages, and times its work.
        extra_seconds: The emulated seconds of an additional pause for each message that is sent or received. The pause
            makes up for the message's processor time, which dilation does not lengthen.
        slowdown: The factors by which the replay is slower and its messages are smaller. Each message has the
            schedule's number of elements ÷ ``slowdown.message_divisor``, rounded up.
    """

    rank: int
    schedule: Schedule
    transport: Transport
    pauses: Pauses
    watch: Stopwatch
    extra_seconds: float = 0.0
    slowdown: Slowdown = field(default_factory=Slowdown)

    def make(self, call: Call, times: CompressorTimes) -> None:
        """Send and receive this rank's messages of ``call``, with pauses in place of compression. Collective.

        Args:
            call: The push, pull or gather.
            times: The seconds that each operation of the call's compressor takes. The rank pauses for these seconds
                instead of running the operation.
        """
        shards = self.schedule.shards(call)
        own = local_shard_of(shards, self.rank)
        start = {"push": self._push, "pull": self._pull, "gather": self._gather}[call.direction]
        traffic = start(call, times, shards, own)
        traffic.is_dense = isinstance(call.compressor, Identity)
        traffic.total_bytes = sum(call.compressor.message_bytes(self.slowdown.smaller(s.numel)) for s in shards)
        limit_bytes = _BYTES_PER_ELEMENT * sum(self.slowdown.smaller(shard.numel) for shard in shards)
        received = {shard.owner: shard.numel for shard in shards}
        with self.watch.transfer():
            # In each trip of a barrier, a rank sends a message and receives one.
            self.pauses.pause(2 * self.extra_seconds * self.transport.barrier_trips(traffic))
            for sender, _ in self.transport.exchange(traffic, limit_bytes=limit_bytes):
                self.pauses.pause(self.extra_seconds)
                if call.direction == "push":
                    self._work("decompress", times.accumulate.seconds(own.numel))
                elif call.direction == "pull":
                    self._work("decompress", times.decompress.seconds(received[sender]))
        if call.direction == "gather":
            added = (self.schedule.world_size - 1) * times.accumulate.seconds(call.numel)
            self._work("decompress", times.decompress.seconds(call.numel) + added)

    def _push(self, call: Call, times: CompressorTimes, shards: list[Shard], own: Shard) -> Traffic:
        """Return the messages that this rank is to send and receive in a push; none of them is sent yet.

        In a push, every rank sends its part of each shard to the server of the shard.

        Args:
            call: The push.
            times: The seconds that each operation of the call's compressor takes. While the messages are exchanged, the
                rank pauses for these seconds instead of running the operation.
            shards: The shards of the push.
            own: The shard that this rank serves; an empty shard if this rank serves none.
        """
        compressed = {s.owner: self._after(times.compress.seconds(s.numel), call, s) for s in shards if s != own}
        traffic = Traffic(compressed)
        if own in shards:
            traffic.incoming = dict.fromkeys(self._peers, functools.partial(self._buffer, call, own))

            def overlap() -> None:
                self._work("compress", times.compress.seconds(own.numel))
                self._work("decompress", times.accumulate.seconds(own.numel))

            traffic.overlap = overlap
        return traffic

    def _pull(self, call: Call, times: CompressorTimes, shards: list[Shard], own: Shard) -> Traffic:
        """Return the messages that this rank sends and receives in a pull, after a pause if the rank serves a shard.

        The pause replaces the compression of the shard. In a pull, the server of each shard compresses the shard and
        sends it to every other rank. The arguments are those of ``_push``, but ``call`` is the pull.
        """
        traffic = Traffic(incoming={s.owner: functools.partial(self._buffer, call, s) for s in shards if s != own})
        if own in shards:
            self._work("compress", times.compress.seconds(own.numel))
            traffic.outgoing = dict.fromkeys(self._peers, self._after(0.0, call, own))
            traffic.overlap = lambda: self._work("decompress", times.decompress.seconds(own.numel))
        return traffic

    def _gather(self, call: Call, times: CompressorTimes, shards: list[Shard], own: Shard) -> Traffic:
        """Return the messages that this rank sends and receives in a gather.

        In a gather, every rank sends its compressed vector to every other rank. Before returning, pause as long as the
        compression of this rank's vector takes.

        Args:
            call: The gather.
            times: The seconds of each operation of the compressor.
            shards: One shard per rank: the rank's whole vector.
            own: The shard of this rank.
        """
        # A gather decompresses only when all messages have arrived: ``make`` does so.
        traffic = self._pull(call, times, shards, own)
        traffic.overlap = lambda: None
        return traffic

    @property
    def _peers(self) -> list[int]:
        return [peer for peer in range(self.schedule.world_size) if peer != self.rank]

    def _after(self, seconds: float, call: Call, shard: Shard) -> Callable[[], Message]:
        def message() -> Message:
            self._work("compress", seconds)
            self.pauses.pause(self.extra_seconds)
            return self._buffer(call, shard)

        return message

    def _buffer(self, call: Call, shard: Shard) -> Message:
        return self.transport.recv_buffer(call.compressor, self.slowdown.smaller(shard.numel))

    def _work(self, span: Literal["compress", "decompress"], seconds: float) -> None:
        if seconds:
            with self.watch.timed("compress_seconds", span):
                self.pauses.pause(seconds)
