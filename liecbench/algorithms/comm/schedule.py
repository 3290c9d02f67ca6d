"""Schedule of a step: the messages that it sends, recorded by running the method without data or peers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from liecbench.algorithms.comm.exchange import Exchange
from liecbench.algorithms.comm.partition import ServerPlace
from liecbench.compressors.base import Compressor


class ScheduleError(RuntimeError):
    """A method cannot be recorded: it reads the values of tensors, which are not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A message from one rank to another.

    Attributes:
        sender: The rank that sends it.
        receiver: The rank that receives it.
        num_bytes: Payload bytes.
        call: The number of the push or pull that it belongs to; all ranks make these calls in this order.
        block: The index of the gradient block, or None if it is sent after the optimizer's step.
        depends_on: Indices, among the schedule's transfers, of those that the sender must have received before.
    """

    sender: int
    receiver: int
    num_bytes: int
    call: int
    block: int | None
    depends_on: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AllReduce:
    """A collective of torch over all ranks.

    Attributes:
        num_bytes: Bytes of the tensor that is reduced.
        bucket: The index of DDP's gradient bucket.
        depends_on: Indices, among the schedule's all-reduces, of those that must be complete before.
    """

    num_bytes: int
    bucket: int
    depends_on: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The messages of all ranks in one step: transfers and all-reduces, each in the order in which they start."""

    world_size: int
    transfers: tuple[Transfer, ...] = ()
    all_reduces: tuple[AllReduce, ...] = ()

    def payload_bytes(self) -> list[tuple[int, int]]:
        """Return the payload bytes that each rank sends and receives.

        An all-reduce of n ranks counts 2(n − 1)/n of its bytes each way, which a ring moves and nothing undercuts.
        """
        each_way = all_reduce_bytes(sum(reduce.num_bytes for reduce in self.all_reduces), self.world_size)
        sent, received = [each_way] * self.world_size, [each_way] * self.world_size
        for transfer in self.transfers:
            sent[transfer.sender] += transfer.num_bytes
            received[transfer.receiver] += transfer.num_bytes
        return list(zip(sent, received, strict=True))

    def num_messages(self) -> list[int]:
        """Return the number of messages that each rank sends; an all-reduce counts as one."""
        counts = [len(self.all_reduces)] * self.world_size
        for transfer in self.transfers:
            counts[transfer.sender] += 1
        return counts


def all_reduce_bytes(num_bytes: int, world_size: int) -> int:
    """Return the bytes that a rank sends, and as many that it receives, to all-reduce ``num_bytes``."""
    return round(2 * (world_size - 1) * num_bytes / world_size)


class WithoutArithmetic(TorchFunctionMode):
    """Skips in-place operations and those with ``out``: tensors on the meta device have no values to write.

    Run on the meta device they would make torch import its compiler, which takes seconds.
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
    """An exchange that sends nothing and records the transfers of all ranks.

    Vectors are on the meta device: they have a shape and no values. The calls are those of rank 0, which every rank
    makes alike.
    """

    def __init__(self, world_size: int, server: ServerPlace) -> None:
        super().__init__(0, world_size, server)
        self.transfers: list[Transfer] = []
        self._block: int | None = None
        self._num_calls = 0
        # A rank begins a call when it has received all messages of the calls before.
        self._received: list[tuple[int, ...]] = [()] * world_size

    def begin(self, step: int, block: int) -> None:
        """Record what follows as of this block."""
        self._block = block

    def begin_after_step(self) -> None:
        """Record what follows as sent after the optimizer's step."""
        self._block = None

    def push(
        self, compressor: Compressor, vector: Tensor, *, residual: Tensor | None = None, out: Tensor | None = None
    ) -> Tensor:
        """Record a message from every rank to the server of each shard."""
        self._record(
            (sender, shard.owner, _message_bytes(compressor, shard.numel))
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
        """Record a message from the server of each shard to every rank."""
        target = out if add_to is None else add_to
        assert target is not None, "a pull needs either out or add_to"
        self._record(
            (shard.owner, receiver, _message_bytes(compressor, shard.numel))
            for shard in self.shards(target.numel())
            for receiver in range(self.world_size)
            if receiver != shard.owner
        )
        return target

    def keep_residual(self, compressor: Compressor, vector: Tensor) -> None:
        """Record nothing."""

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


def _message_bytes(compressor: Compressor, numel: int) -> int:
    return compressor.payload_bytes(numel) if numel else 0
