"""Schedule of a step: all messages of all ranks, recorded by running the method in one process and without data."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from liecbench.algorithms.comm.exchange import Exchange
from liecbench.algorithms.comm.partition import ServerPlace
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
        call: The number of the push or pull that sends the message, from 0; all ranks make the same calls in order.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The messages of all ranks in one step; ``transfers`` and ``all_reduces`` are in the order in which they start."""

    world_size: int
    transfers: tuple[Transfer, ...] = ()
    all_reduces: tuple[ScheduledAllReduce, ...] = ()

    def payload_bytes(self) -> list[tuple[int, int]]:
        """Return for each rank the payload bytes (sent, received).

        An all-reduce among n ranks counts as 2(n − 1)/n times its bytes in each direction. This is the minimum, which a
        ring all-reduce attains.
        """
        each_way = all_reduce_bytes(sum(reduce.num_bytes for reduce in self.all_reduces), self.world_size)
        sent, received = [each_way] * self.world_size, [each_way] * self.world_size
        for transfer in self.transfers:
            sent[transfer.sender] += transfer.num_bytes
            received[transfer.receiver] += transfer.num_bytes
        return list(zip(sent, received, strict=True))

    def num_sequential_transfers(self) -> int:
        """Return the length of the longest chain of transfers of which each starts only after the one before arrived.

        All-reduces are not counted.
        """
        return _longest_chain(self.transfers)

    def num_messages(self) -> list[int]:
        """Return for each rank the number of messages that it sends; an all-reduce counts as one."""
        counts = [len(self.all_reduces)] * self.world_size
        for transfer in self.transfers:
            counts[transfer.sender] += 1
        return counts


def _longest_chain(messages: Sequence[Transfer]) -> int:
    lengths: list[int] = []
    # Messages of one sender and call share their tuple: with many ranks, its maximum is to be computed once.
    longest: dict[int, int] = {}
    for message in messages:
        before = id(message.depends_on)
        if before not in longest:
            longest[before] = max((lengths[index] for index in message.depends_on), default=0)
        lengths.append(longest[before] + 1)
    return max(lengths, default=0)


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
    """An exchange that sends nothing, and records the transfers of all ranks in ``transfers``.

    Vectors are on the meta device: they have a shape, but no values. Only the calls of rank 0 are made. Each call
    records the transfers of all ranks, because every rank would make the same calls.
    """

    def __init__(self, world_size: int, server: ServerPlace) -> None:
        super().__init__(0, world_size, server)
        self.transfers: list[Transfer] = []
        self._block: int | None = None
        self._num_calls = 0
        # For each rank, the transfers that it received last: it begins its next call when they have arrived.
        self._received: list[tuple[int, ...]] = [()] * world_size

    def begin(self, step: int, block: int) -> None:
        """Record the transfers of the following calls as transfers of ``block``."""
        self._block = block

    def begin_after_step(self) -> None:
        """Record the transfers of the following calls as sent after the optimizer's step."""
        self._block = None

    def push(
        self, compressor: Compressor, vector: Tensor, *, residual: Tensor | None = None, out: Tensor | None = None
    ) -> Tensor:
        """Record, for each shard, a message from every other rank to the shard's server.

        The arguments are those of ``Exchange.push``.
        """
        self._record(
            (sender, shard.owner, compressor.message_bytes(shard.numel))
            for shard in self.shards(vector.numel())
            for sender in range(self.world_size)
            if sender != shard.owner
        )
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
        """Record, for each shard, a message from the shard's server to every other rank.

        The arguments are those of ``Exchange.pull``.
        """
        target = out if add_to is None else add_to
        assert target is not None, "a pull needs either out or add_to"
        self._record(
            (shard.owner, receiver, compressor.message_bytes(shard.numel))
            for shard in self.shards(target.numel())
            for receiver in range(self.world_size)
            if receiver != shard.owner
        )
        return target

    def keep_residual(self, compressor: Compressor, vector: Tensor) -> None:
        """Do nothing, because this method of an exchange sends nothing."""

    def _record(self, messages: Iterator[tuple[int, int, int]]) -> None:
        received: list[list[int]] = [[] for _ in range(self.world_size)]
        for sender, receiver, num_bytes in messages:
            received[receiver].append(len(self.transfers))
            self.transfers.append(
                Transfer(
                    sender=sender,
                    receiver=receiver,
                    num_bytes=num_bytes,
                    call=self._num_calls,
                    block=self._block,
                    depends_on=self._received[sender],
                )
            )
        self._received = [tuple(new) or old for new, old in zip(received, self._received, strict=True)]
        self._num_calls += 1
