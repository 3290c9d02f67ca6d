"""What travels: the mean of the workers' vectors through a server and back."""

import dataclasses
import functools
from collections.abc import Callable
from itertools import count

import torch
import torch.distributed as dist
from torch import Tensor

from liecbench.algorithms.comm.counters import Stopwatch
from liecbench.algorithms.comm.gloo import Rotation
from liecbench.algorithms.comm.gloo_staged import Staged
from liecbench.algorithms.comm.nccl import AtOnce
from liecbench.algorithms.comm.pacing import Pacer
from liecbench.algorithms.comm.shards import ServerPlace, Shard, cut
from liecbench.algorithms.comm.transport import Traffic, Transport, over_nccl
from liecbench.compressors.base import Compressor, Message, RngKey, on_host
from liecbench.compressors.identity import Identity

_CPU = torch.device("cpu")


class NonFiniteMessageError(FloatingPointError):
    """A message that is not finite; every rank of the exchange raises it for the same one."""


class Exchange:
    """Mean-through-a-server over a process group; counts its payload and times itself by ``watch``.

    ``to_server`` and ``from_server`` are the two halves. ``begin`` names the step and the block that they serve, from
    which random compressors take their numbers. Where the host runs ahead of a GPU, ``doubted`` takes the flag of what
    came, a boolean of shape [], instead of an error.
    """

    def __init__(
        self,
        group: dist.ProcessGroup,
        server: ServerPlace,
        watch: Stopwatch,
        *,
        pacer: Pacer | None = None,
        device: torch.device = _CPU,
        transport: Transport | None = None,
        doubted: Callable[[Tensor], None] | None = None,
    ) -> None:
        self.rank, self.world_size = group.rank(), group.size()
        self._server, self._watch, self._device = server, watch, device
        self._transport = transport or _transport_of(device, group, server, watch, pacer)
        self._doubted = doubted if self._transport.answers_late else None
        self._scratch = torch.empty(0, device=device)
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
        self._draw, self._stages = RngKey(step=step, block=block), count()

    def to_server(
        self, compressor: Compressor, vector: Tensor, *, residual: Tensor | None = None, room: Tensor | None = None
    ) -> Tensor:
        """The workers' mean of C(``vector``) for the shard that this rank serves.

        ``residual``, which may be ``vector``, takes ``vector`` − C(``vector``). The mean stands in ``room``, a vector
        of the same length (it may be ``vector``, too), or in scratch where there is none. Each shard is compressed
        while the one before is under way.
        """
        self._draw = dataclasses.replace(self._draw, stage=next(self._stages), from_server=False)
        own, drawn = self.served(vector.numel()), self._drawn(compressor, vector.numel())
        total = self._room(own.numel) if room is None else room[own.start : own.stop]
        sum_of = _Sum(drawn.get(own, compressor), total, 1 / self.world_size, self._watch)
        sum_of.limit_bytes = vector.nbytes if self._transport.gives_room else 0
        # Room for messages to the server: that of those already added, and scratch where the mean is elsewhere.
        spare = [] if room is None or self._transport.gives_room else self._message_in_scratch(compressor, own.numel)

        def message_of(shard: Shard) -> Message:
            piece = slice(shard.start, shard.stop)
            with self._watch.timed("compress_seconds", "compress"):
                return drawn[shard].compress(vector[piece], None if residual is None else residual[piece])

        traffic = Traffic({shard.owner: functools.partial(message_of, shard) for shard in drawn if shard != own})
        traffic.dense = isinstance(compressor, Identity)
        if own in drawn:
            traffic.incoming = dict.fromkeys(
                self._peers, lambda: spare.pop() if spare else self._transport.room(drawn[own], own.numel)
            )
            traffic.meanwhile = lambda: sum_of.add(message_of(own))
        for _, message in self._transport.swap(traffic, limit_bytes=vector.nbytes):
            sum_of.add(message)
            if not self._transport.gives_room:
                spare.append(message)
        sum_of.complete()
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
        ``memory`` keeps its value, unless the flag went to ``doubted``.
        """
        self._draw = dataclasses.replace(self._draw, from_server=True)
        own = self.served(out.numel())
        exact = isinstance(compressor, Identity)
        assert accumulate or weight == 1, "a weight is for accumulation"
        assert exact or memory is None or mean.data_ptr() != out[own.start :].data_ptr(), "the residual needs room"
        drawn = self._drawn(compressor, out.numel())
        shards = {shard.owner: shard for shard in drawn}
        finite: list[bool | Tensor] = []

        def deliver(shard: Shard, message: Message) -> None:
            place = out[shard.start : shard.stop]
            with self._watch.timed("compress_seconds", "decompress"):
                if message.payload.data_ptr() != place.data_ptr():  # it did not arrive there
                    drawn[shard].decompress(message, place, accumulate, weight)
                finite.append(_finite(drawn[shard], message))

        def room(shard: Shard) -> Message:
            straight = exact and not accumulate and self._transport.arrives_in_place
            if straight:
                return compressor.compress(out[shard.start : shard.stop])
            return self._transport.room(drawn[shard], shard.numel)

        traffic = Traffic(incoming={shard.owner: functools.partial(room, shard) for shard in drawn if shard != own})
        traffic.dense = exact
        if own in drawn:
            answer = self._answer(drawn[own], mean, memory)
            traffic.outgoing = dict.fromkeys(self._peers, lambda: answer)
            traffic.meanwhile = lambda: deliver(own, answer)
        for owner, message in self._transport.swap(traffic, limit_bytes=out.nbytes):
            deliver(shards[owner], message)
        self._check(finite)
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
        return {s: compressor.with_rng(dataclasses.replace(draw, shard=s.owner)) for s in self.shards(numel)}

    def _answer(self, compressor: Compressor, mean: Tensor, memory: Tensor | None) -> Message:
        """C(``mean`` + ``memory``); with a memory ``mean`` becomes what that leaves out, unless it is the message."""
        with self._watch.timed("compress_seconds", "compress"):
            if memory is None:
                return compressor.compress(mean)
            mean.add_(memory)
            return compressor.compress(mean, None if isinstance(compressor, Identity) else mean)

    def _room(self, numel: int) -> Tensor:
        if self._scratch.numel() < numel:
            self._scratch = torch.empty(numel, device=self._device)
        return self._scratch[:numel]

    def _check(self, finite: list[bool | Tensor]) -> None:
        # One flag of all: whoever reads it waits for a GPU once.
        flags = [flag for flag in finite if isinstance(flag, Tensor)]
        flag = torch.stack(flags).all() if flags else torch.tensor(all(finite))
        if self._doubted is not None:
            self._doubted(flag)
        elif not flag:
            raise NonFiniteMessageError

    def _message_in_scratch(self, compressor: Compressor, numel: int) -> list[Message]:
        """Room for one message where the scratch that is there has it."""
        payload, size = self._scratch.view(torch.uint8), compressor.payload_bytes(numel) if numel else 0
        return [Message(payload[:size], numel)] if 0 < size <= payload.numel() else []


class _Sum:
    """Messages on their way into a mean: each as it comes, while it is in the cache, or about ``limit_bytes`` at once.

    On a GPU one pass over the mean takes many messages.
    """

    limit_bytes = 0

    def __init__(self, compressor: Compressor, total: Tensor, weight: float, watch: Stopwatch) -> None:
        self._compressor, self._total, self._weight, self._watch = compressor, total, weight, watch
        self._waiting: list[Message] = []
        self._begun = False

    def add(self, message: Message) -> None:
        """Take one more."""
        self._waiting.append(message)
        if sum(waiting.payload_bytes for waiting in self._waiting) >= self.limit_bytes:
            self.complete()

    def complete(self) -> None:
        """Add what waits."""
        if self._waiting:
            with self._watch.timed("compress_seconds", "decompress"):
                self._compressor.sum_messages(self._waiting, self._total, accumulate=self._begun, weight=self._weight)
            self._waiting, self._begun = [], True


def _finite(compressor: Compressor, message: Message) -> bool | Tensor:
    return compressor.is_finite(message) if on_host(message.payload) else compressor.finite_flag(message)


def _transport_of(
    device: torch.device, group: dist.ProcessGroup, server: ServerPlace, watch: Stopwatch, pacer: Pacer | None
) -> Transport:
    """How messages of vectors on ``device`` travel over ``group``; ``watch`` is by the device's clock."""
    if device.type == "cpu":
        return Rotation(group, server, watch, pacer)
    if over_nccl(device, group):
        return AtOnce(group, server, watch, device)
    return Staged(group, server, watch, pacer, device)
