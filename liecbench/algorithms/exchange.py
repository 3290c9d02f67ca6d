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
        self._peers = [peer for peer in range(self.world_size) if peer != self.rank]

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
        # Room for everything first. Between two ranks messages keep their order: reports precede answers.
        reports = {} if served is None else {p: self._receive(up, shards[served].numel, p) for p in self._peers}
        answers = {s.owner: self._receive(down, s.numel, s.owner) for i, s in enumerate(shards) if i != served}
        upward = {s.owner: message for s, message in zip(shards, messages, strict=True) if s.owner != self.rank}
        total = self._room(0 if served is None else shards[served].numel)
        if served is not None:
            self._add(up, messages[served], total, accumulate=False)
        for _, message in self._swap(upward, reports):
            self._add(up, message, total, accumulate=True)
        answer = None if served is None else self._answer(down, total, memory)
        place = {shard.owner: out[shard.start : shard.stop] for shard in shards}
        finite = answer is None or self._deliver(down, answer, place[self.rank], accumulate)
        downward = {} if answer is None else dict.fromkeys(self._peers, answer)
        for owner, message in self._swap(downward, answers):
            finite = self._deliver(down, message, place[owner], accumulate) and finite
        if not finite:
            raise NonFiniteMessageError
        if memory is not None:
            memory.copy_(total)
        return out

    def mean(self, vector: Tensor) -> Tensor:
        """The workers' mean of ``vector``, in full precision and in place."""
        identity = Identity()
        return self.through_server(self.compress(identity, vector), identity, identity, out=vector)

    def _swap(self, outgoing: dict[int, Message], incoming: dict[int, _Arriving]) -> Iterator[tuple[int, Message]]:
        """Send to the next peer when the one before has been heard from, in rotation; work on what came meanwhile.

        With all sends at once a rank's link carries as many flows, and all ranks' first flows may meet at one: dense
        shards took 1.2 to 1.3 times the wire time so, 1.0 times in rotation. A root has nobody to hear from on the way
        down, where its link is the only one that is busy.
        """
        sending, arrived = [], None
        for distance in range(1, self.world_size):
            target, source = (
                (self.rank + distance) % self.world_size,
                (self.rank - distance) % self.world_size,
            )
            if target in outgoing:
                sending.append(self._send(outgoing[target], target))
            if arrived is not None:
                yield arrived
            arrived = (source, self._wait(incoming[source])) if source in incoming else None
        if arrived is not None:
            yield arrived
        with self._timed("communicate_seconds"):
            for work in sending:
                work.wait()

    def _add(self, up: Compressor, message: Message, total: Tensor, *, accumulate: bool) -> None:
        with self._timed("compress_seconds"):
            up.decompress(message, total, accumulate, weight=1 / self.world_size)

    def _answer(self, down: Compressor, total: Tensor, memory: Tensor | None) -> Message:
        """down(``total`` + ``memory``); with a memory ``total`` becomes what that leaves out."""
        with self._timed("compress_seconds"):
            return down.compress(total) if memory is None else down.compress(total.add_(memory), residual=total)

    def _deliver(self, down: Compressor, message: Message, place: Tensor, accumulate: bool) -> bool:
        """Put one shard's answer in place; whether it is finite."""
        with self._timed("compress_seconds"):
            down.decompress(message, place, accumulate)
            return down.is_finite(message)

    def _room(self, numel: int) -> Tensor:
        if self._scratch.numel() < numel:
            self._scratch = torch.empty(numel)
        return self._scratch[:numel]

    def _send(self, message: Message, peer: int) -> dist.Work:
        self.counters.sent_bytes += message.payload_bytes
        self.counters.sent_messages += 1
        with self._timed("communicate_seconds"):
            work = dist.isend(message.payload, group=self._group, group_dst=peer)
        assert work is not None, "this rank belongs to the group"
        return work

    def _receive(self, compressor: Compressor, numel: int, peer: int) -> _Arriving:
        message = compressor.empty_message(numel)
        with self._timed("communicate_seconds"):
            work = dist.irecv(message.payload, group=self._group, group_src=peer)
        assert work is not None, "this rank belongs to the group"
        return _Arriving(message, work)

    def _wait(self, arriving: _Arriving) -> Message:
        with self._timed("communicate_seconds"):
            arriving.work.wait()
        self.counters.received_bytes += arriving.message.payload_bytes
        return arriving.message

    @contextmanager
    def _timed(self, counter: Literal["compress_seconds", "communicate_seconds"]) -> Iterator[None]:
        start = time.perf_counter()
        yield
        setattr(self.counters, counter, getattr(self.counters, counter) + time.perf_counter() - start)
