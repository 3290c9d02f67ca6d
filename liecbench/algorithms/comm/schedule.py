"""Schedule of a step: all messages of all ranks."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from liecbench.algorithms.comm.partition import ServerPlace, Shard, cut_shards
from liecbench.compressors.base import Compressor


class ScheduleError(RuntimeError):
    """A method's messages cannot be recorded, because the method reads values of tensors.

    A recording runs the method on the meta device, where tensors have no values.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A message from one rank to another.

    Attributes:
        sender: The rank that sends it.
        receiver: The rank that receives it.
        num_bytes: Payload bytes.
        call: The index, in ``Schedule.calls``, of the call that sends the message.
        block: The index of the gradient block, or None if the message is sent after the optimizer's step.
        depends_on: Indices, in ``Schedule.transfers``, of the transfers that the sender must receive before it sends.
    """

    sender: int
    receiver: int
    num_bytes: int
    call: int
    block: int | None
    depends_on: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledAllReduce:
    """One all-reduce over all ranks, for a gradient bucket of DDP.

    Attributes:
        num_bytes: Bytes of the tensor that is reduced.
        bucket: The index of the bucket.
        depends_on: Indices, in ``Schedule.all_reduces``, of the all-reduces that must be complete before this one.
    """

    num_bytes: int
    bucket: int
    depends_on: tuple[int, ...]


Direction = Literal["push", "pull", "gather"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A push, a pull or a gather of one vector, which all ranks make at the same point of a step.

    In a push, every rank sends each shard of its compressed vector to the shard's server, which averages the shards
    that it receives. In a pull, each server compresses its shard of the result, such as the mean, and sends it to every
    other rank. In a gather, every rank sends its whole compressed vector to every other rank.

    Attributes:
        direction: ``push``, ``pull`` or ``gather``.
        numel: The vector's number of elements.
        compressor: The compressor of the messages.
        block: The index of the gradient block, or None if the call is made after the optimizer's step.
    """

    direction: Direction
    numel: int
    compressor: Compressor
    block: int | None

    def shards(self, world_size: int, server: ServerPlace | None) -> list[Shard]:
        """Return the parts of the vector that are sent as separate messages.

        In a push or a pull, each part is a shard, and its ``owner`` is the rank that serves the shard. In a gather,
        there is one part per rank: the rank's whole vector, with the rank as its ``owner``.

        Args:
            world_size: The number of ranks.
            server: The place of the server, ``root`` or ``sharded``; may be None in a gather.
        """
        if self.direction == "gather":
            return [Shard(rank, 0, self.numel) for rank in range(world_size)]
        assert server is not None, "a push or a pull goes through a server"
        return cut_shards(self.numel, world_size, server)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The calls and all-reduces of all ranks in one step.

    Attributes:
        world_size: The number of ranks.
        server: The place of the server of pushes and pulls: ``root`` (rank 0) or ``sharded`` (every rank serves one
            shard); None without a server.
        blocks: For each gradient block, or bucket of DDP, the indices of its parameters, in the order in which the
            backward pass completes the blocks.
        calls: The pushes, pulls and gathers, in order.
        all_reduces: The collectives of torch, in the order in which they start.
        overlapped_steps: The number of later steps that are computed while the calls after the optimizer's step are
            under way. If 0, the next step waits for these calls.
    """

    world_size: int
    server: ServerPlace | None = None
    blocks: tuple[tuple[int, ...], ...] = ()
    calls: tuple[Call, ...] = ()
    all_reduces: tuple[ScheduledAllReduce, ...] = ()
    overlapped_steps: int = 0

    def shards(self, call: Call) -> list[Shard]:
        """Return the parts of a call's vector that are sent as one message each; see ``Call.shards``."""
        return call.shards(self.world_size, self.server)

    @functools.cached_property
    def transfers(self) -> tuple[Transfer, ...]:
        """The messages of ``calls`` one by one, in the order in which they start."""
        found: list[Transfer] = []
        # For each rank, the transfers that it received last: it begins its next call when they have arrived.
        last: list[tuple[int, ...]] = [()] * self.world_size
        for number, call in enumerate(self.calls):
            received: list[list[int]] = [[] for _ in range(self.world_size)]
            for sender, receiver, num_bytes in self._messages(call):
                received[receiver].append(len(found))
                found.append(
                    Transfer(
                        sender=sender,
                        receiver=receiver,
                        num_bytes=num_bytes,
                        call=number,
                        block=call.block,
                        depends_on=last[sender],
                    )
                )
            last = [tuple(new) or old for new, old in zip(received, last, strict=True)]
        return tuple(found)

    def _messages(self, call: Call) -> Iterator[tuple[int, int, int]]:
        """Yield (sender, receiver, payload bytes) of each message of a push, pull or gather; both ends are ranks."""
        for shard in self.shards(call):
            num_bytes = call.compressor.message_bytes(shard.numel)
            for other in range(self.world_size):
                if other != shard.owner:
                    pair = (other, shard.owner) if call.direction == "push" else (shard.owner, other)
                    yield (*pair, num_bytes)

    def payload_bytes(self) -> list[tuple[int, int]]:
        """Return for each rank the payload bytes (sent, received).

        An all-reduce among n ranks counts as 2(n − 1)/n times its bytes in each direction. This is the minimum, which a
        ring all-reduce attains.
        """
        each_way = all_reduce_bytes(sum(reduce.num_bytes for reduce in self.all_reduces), self.world_size)
        sent, received = [each_way] * self.world_size, [each_way] * self.world_size
        for call in self.calls:
            # The workers' side of a call is the sending one in a push, and the receiving one in a pull or a gather.
            workers, servers = (sent, received) if call.direction == "push" else (received, sent)
            sizes = {shard.owner: call.compressor.message_bytes(shard.numel) for shard in self.shards(call)}
            total = sum(sizes.values())
            for rank in range(self.world_size):
                own = sizes.get(rank, 0)
                workers[rank] += total - own
                servers[rank] += (self.world_size - 1) * own
        return list(zip(sent, received, strict=True))

    def num_sequential_transfers(self) -> int:
        """Return the length of the longest chain of transfers in which each waits for the arrival of the previous one.

        All-reduces are not counted.
        """
        longest, arrived = 0, [0] * self.world_size  # for each rank, the longest chain that ended with it
        for call in self.calls:
            servers = {shard.owner for shard in self.shards(call)}
            everyone = set(range(self.world_size))
            senders, receivers = (everyone, servers) if call.direction == "push" else (servers, everyone)
            first, second = [*sorted(senders, key=lambda rank: -arrived[rank])[:2], None][:2]
            before = list(arrived)
            for receiver in receivers:
                sender = second if receiver == first else first
                if sender is not None:
                    arrived[receiver] = before[sender] + 1
            longest = max(longest, *arrived)
        return longest

    def num_messages(self) -> list[int]:
        """Return for each rank the number of messages that it sends; an all-reduce counts as one."""
        counts = [len(self.all_reduces)] * self.world_size
        for call in self.calls:
            servers = {shard.owner for shard in self.shards(call)}
            for rank in range(self.world_size):
                is_server = rank in servers
                counts[rank] += (
                    len(servers) - is_server if call.direction == "push" else (self.world_size - 1) * is_server
                )
        return counts

    def num_call_messages(self) -> int:
        """Return the number of messages of the step's pushes, pulls and gathers, summed over ranks."""
        return sum(self.num_messages()) - self.world_size * len(self.all_reduces)

    def num_ring_messages(self) -> int:
        """Return the number of messages of the step's all-reduces, summed over ranks, if every all-reduce is a ring."""
        return 2 * (self.world_size - 1) * self.world_size * len(self.all_reduces)


def all_reduce_bytes(num_bytes: int, world_size: int) -> int:
    """Return the bytes that each rank sends, and also receives, when ``world_size`` ranks all-reduce ``num_bytes``."""
    return round(2 * (world_size - 1) * num_bytes / world_size)
