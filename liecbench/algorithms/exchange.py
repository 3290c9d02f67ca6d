"""What travels, and where the server lives: the mean of the workers' vectors through a server and back.

A vector is cut into shards; each has an owner that is its server. ``root`` is one shard that rank 0 owns; ``sharded``
is one shard a rank, so that every rank moves 2(n − 1)/n of the compressed bytes whatever n is.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
import torch.distributed as dist
from torch import Tensor

from liecbench.compressors.base import Compressor, Message
from liecbench.compressors.identity import Identity

ServerPlace = Literal["root", "sharded"]
_ALIGNMENT = 8


class NonFiniteMessageError(FloatingPointError):
    """A message that is not finite; every rank of the exchange raises it for the same one."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Elements [start, stop) of a vector, served by rank ``owner``."""

    owner: int
    start: int
    stop: int

    @property
    def numel(self) -> int:
        """Length of the shard."""
        return self.stop - self.start


def cut(numel: int, world_size: int, server: ServerPlace) -> list[Shard]:
    """The shards of a vector, empty ones left out; a sharded one has a multiple of 8 elements unless it is the last."""
    if server == "root":
        return [Shard(0, 0, numel)]
    size = -(-numel // world_size)
    size = -(-size // _ALIGNMENT) * _ALIGNMENT
    starts = range(0, numel, size)
    return [Shard(owner, start, min(start + size, numel)) for owner, start in enumerate(starts)]


def payload_bytes(shards: list[Shard], rank: int, world_size: int, up: Compressor, down: Compressor) -> tuple[int, int]:
    """Bytes that ``rank`` sends and receives in one exchange over ``shards``."""
    sent = received = 0
    for shard in shards:
        up_bytes, down_bytes = up.payload_bytes(shard.numel), down.payload_bytes(shard.numel)
        serves = shard.owner == rank
        sent += (world_size - 1) * down_bytes if serves else up_bytes
        received += (world_size - 1) * up_bytes if serves else down_bytes
    return sent, received


@dataclass(slots=True)
class Counters:
    """What an exchange has moved and how long it took, since it was made; seconds are wall time on its thread."""

    sent_bytes: int = 0
    received_bytes: int = 0
    sent_messages: int = 0
    compress_seconds: float = 0.0
    communicate_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Arriving:
    message: Message
    work: dist.Work


class Exchange:
    """Mean-through-a-server over a process group; counts its payload and times itself."""

    def __init__(self, group: dist.ProcessGroup, server: ServerPlace, counters: Counters) -> None:
        self.rank, self.world_size, self.counters = group.rank(), group.size(), counters
        self._group, self._server = group, server
        self._scratch = torch.empty(0)

    def shards(self, numel: int) -> list[Shard]:
        """How a vector of this length is cut."""
        return cut(numel, self.world_size, self._server)

    def served_numel(self, numel: int) -> int:
        """How many elements of such a vector this rank serves."""
        return sum(shard.numel for shard in self.shards(numel) if shard.owner == self.rank)

    def compress(self, compressor: Compressor, vector: Tensor, residual: Tensor | None = None) -> list[Message]:
        """One message a shard; ``residual``, which may be ``vector``, takes what the messages leave out."""
        with self._timed("compress_seconds"):
            return [
                compressor.compress(vector[s.start : s.stop], None if residual is None else residual[s.start : s.stop])
                for s in self.shards(vector.numel())
            ]

    def through_server(
        self,
        messages: list[Message],
        up: Compressor,
        down: Compressor,
        *,
        out: Tensor,
        accumulate: bool = False,
        memory: Tensor | None = None,
    ) -> Tensor:
        """q = down(mean of the workers' messages + ``memory``), the same on every rank, written or added to ``out``.

        ``memory`` belongs to the shard that this rank serves and becomes what ``down`` leaves out. Where a message is
        not finite every rank raises NonFiniteMessageError, and ``memory`` keeps its value.
        """
        shards = self.shards(out.numel())
        served = next((i for i, shard in enumerate(shards) if shard.owner == self.rank), None)
        peers = [peer for peer in range(self.world_size) if peer != self.rank]
        with self._timed("communicate_seconds"):
            # Between two ranks messages keep their order: what goes up is posted before what comes down.
            numel = 0 if served is None else shards[served].numel
            incoming = {peer: self._receive(up, numel, peer) for peer in peers if numel}
            sending = [self._send(m, s.owner) for m, s in zip(messages, shards, strict=True) if s.owner != self.rank]
            answers = {i: self._receive(down, s.numel, s.owner) for i, s in enumerate(shards) if i != served}
        final: dict[int, Message] = {}
        error = torch.empty(0)
        if served is not None:
            final[served], error = self._serve(messages[served], incoming, up, down, memory)
            with self._timed("communicate_seconds"):
                sending += [self._send(final[served], peer) for peer in peers]
        with self._timed("communicate_seconds"):
            final.update({i: self._wait(answer) for i, answer in answers.items()})
            for work in sending:
                work.wait()
        with self._timed("compress_seconds"):
            if not all(down.is_finite(message) for message in final.values()):
                raise NonFiniteMessageError
            if memory is not None:
                memory.copy_(error)
            for i, shard in enumerate(shards):
                down.decompress(final[i], out[shard.start : shard.stop], accumulate)
        return out

    def mean(self, vector: Tensor) -> Tensor:
        """The workers' mean of ``vector``, in full precision and in place."""
        identity = Identity()
        return self.through_server(self.compress(identity, vector), identity, identity, out=vector)

    def _serve(
        self, own: Message, incoming: dict[int, _Arriving], up: Compressor, down: Compressor, memory: Tensor | None
    ) -> tuple[Message, Tensor]:
        """The answer to the workers' messages, and the error memory that it leaves behind."""
        if self._scratch.numel() < own.numel:
            self._scratch = torch.empty(own.numel)
        total = self._scratch[: own.numel]
        for peer in range(self.world_size):
            with self._timed("communicate_seconds"):
                message = own if peer == self.rank else self._wait(incoming[peer])
            with self._timed("compress_seconds"):
                up.decompress(message, total, accumulate=peer > 0, weight=1 / self.world_size)
        with self._timed("compress_seconds"):
            if memory is None:
                return down.compress(total), torch.empty(0)
            total.add_(memory)
            return down.compress(total, residual=total), total

    def _send(self, message: Message, peer: int) -> dist.Work:
        self.counters.sent_bytes += message.payload_bytes
        self.counters.sent_messages += 1
        work = dist.isend(message.payload, group=self._group, group_dst=peer)
        assert work is not None, "this rank belongs to the group"
        return work

    def _receive(self, compressor: Compressor, numel: int, peer: int) -> _Arriving:
        message = compressor.empty_message(numel)
        work = dist.irecv(message.payload, group=self._group, group_src=peer)
        assert work is not None, "this rank belongs to the group"
        return _Arriving(message, work)

    def _wait(self, arriving: _Arriving) -> Message:
        arriving.work.wait()
        self.counters.received_bytes += arriving.message.payload_bytes
        return arriving.message

    @contextmanager
    def _timed(self, counter: Literal["compress_seconds", "communicate_seconds"]) -> Iterator[None]:
        start = time.perf_counter()
        yield
        setattr(self.counters, counter, getattr(self.counters, counter) + time.perf_counter() - start)
