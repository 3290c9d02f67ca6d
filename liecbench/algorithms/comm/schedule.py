"""Schedule of a step: all messages of all ranks, recorded by running the method in one process and without data."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from liecbench.algorithms.comm.exchange import Combine, Exchange
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
        call: The number of the call that sends the message, from 0; all ranks make the same calls in order.
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
    """A collective of torch over all ranks.

    Attributes:
        num_bytes: Bytes of the tensor that is reduced.
        bucket: The index of DDP's gradient bucket.
        depends_on: Indices, in ``Schedule.all_reduces``, of the all-reduces that must be complete before this one.
    """

    num_bytes: int
    bucket: int
    depends_on: tuple[int, ...]


Direction = Literal["push", "pull", "gather"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A push, a pull or a gather of one vector, which all ranks make at the same point of a step.

    In a push, every rank sends each shard of its compressed vector to the shard's server, which averages. In a pull,
    each server sends its compressed shard of the answer to every rank. In a gather, every rank sends its whole
    compressed vector to every other rank.

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
        """Return the parts that are sent as one message each, with the rank that all others send to or receive from.

        In a gather among ``world_size`` ranks, each rank sends the whole vector, as if it were the rank's shard of the
        answer of a pull. Otherwise the parts are the shards of the vector, whose servers are at ``server``.
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
        server: The place of the server that pushes and pulls go through; None without a server.
        blocks: For each gradient block, or bucket of DDP, the indices of its parameters, in the order in which the
            backward pass completes the blocks.
        calls: The pushes, pulls and gathers, in order.
        all_reduces: The collectives of torch, in the order in which they start.
        overlapped_steps: The number of later steps that compute while the calls after the optimizer's step are made; 0
            if the next step waits for them.
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
        """Yield sender, receiver and bytes of each message of a call."""
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
        """Return the length of the longest chain of transfers of which each starts only after the one before arrived.

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

    def num_ring_messages(self) -> int:
        """Return the number of messages that all ranks together send if the all-reduces run in rings."""
        return 2 * (self.world_size - 1) * self.world_size * len(self.all_reduces)


def all_reduce_bytes(num_bytes: int, world_size: int) -> int:
    """Return the bytes that each of ``world_size`` ranks sends to all-reduce ``num_bytes``; it receives as many."""
    return round(2 * (world_size - 1) * num_bytes / world_size)


class WithoutArithmetic(TorchFunctionMode):
    """Makes torch skip in-place operations and operations with ``out``, while it is entered as a context manager.

    Tensors on the meta device have no values, so that these operations would have no effect. If they ran, torch would
    import its compiler, which takes seconds.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if kwargs.get("out") is not None:
            return kwargs["out"]
        name = getattr(func, "__name__", "")
        if name.endswith("_") and not name.endswith("__") and isinstance(args[0], Tensor):
            return args[0]
        return func(*args, **kwargs)


class RecordingExchange(Exchange):
    """An exchange that sends nothing, and records the pushes, pulls and gathers in ``calls``.

    Vectors are on the meta device: they have a shape, but no values. Only the calls of rank 0 are made, because
    every rank would make the same calls.
    """

    def __init__(self, world_size: int, server: ServerPlace) -> None:
        super().__init__(0, world_size, server)
        self.calls: list[Call] = []
        self._block: int | None = None
        self._is_after_step = False

    def begin(self, step: int, block: int) -> None:
        """Record the following calls as calls for ``block``, unless they are made after the optimizer's step."""
        self._block = None if self._is_after_step else block

    def begin_after_step(self) -> None:
        """Record the following calls as made after the optimizer's step."""
        self._block, self._is_after_step = None, True

    def push(
        self, compressor: Compressor, vector: Tensor, *, residual: Tensor | None = None, out: Tensor | None = None
    ) -> Tensor:
        """Record a push.

        The arguments are those of ``Exchange.push``.
        """
        self._record("push", vector.numel(), compressor)
        own = self.local_shard(vector.numel())
        return torch.empty(own.numel, device="meta") if out is None else out[own.start : own.stop]

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
        """Record a pull.

        The arguments are those of ``Exchange.pull``.
        """
        target = out if add_to is None else add_to
        assert target is not None, "a pull needs either out or add_to"
        self._record("pull", target.numel(), compressor)
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
        """Record a gather.

        The arguments are those of ``Exchange.gather``.
        """
        self._record("gather", vector.numel(), compressor)
        return out

    def keep_residual(self, compressor: Compressor, vector: Tensor) -> None:
        """Do nothing, because this method of an exchange sends nothing."""

    def _record(self, direction: Direction, numel: int, compressor: Compressor) -> None:
        self.calls.append(Call(direction=direction, numel=numel, compressor=compressor, block=self._block))
