"""The numbers of elements and bytes of the messages of a push, a pull or a gather."""

import functools
from dataclasses import dataclass

from liecbench.algorithms.comm.partition import ServerPlace, cut_shards
from liecbench.algorithms.comm.schedule import Call, Schedule
from liecbench.compressors.identity import Identity
from liecbench.profiles.profile import CompressorTimes


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSizes:
    """A push, a pull or a gather, with the sizes of its shards and of their messages.

    A shard has ``numel`` elements, and its message has ``num_bytes``. The last shard has ``last_numel`` and
    ``last_bytes`` instead. With a root server, the whole vector is the only shard. In a gather, the shards are the
    ranks' whole vectors. If ``is_dense`` is True, the messages are not compressed.
    """

    direction: str
    place: ServerPlace
    world_size: int
    vector_numel: int
    num_shards: int
    numel: int
    last_numel: int
    num_bytes: int
    last_bytes: int
    is_dense: bool
    times: CompressorTimes

    @classmethod
    def of(cls, call: Call, schedule: Schedule, times: CompressorTimes) -> "CallSizes":
        """Return the shard sizes and the message sizes of a push, a pull or a gather.

        Args:
            call: The push, pull or gather.
            schedule: The schedule that contains ``call``, with the number of ranks and the place of the server.
            times: The times of the compressor of ``call``, which are stored in the result.
        """
        place, num_shards, numel, last = _shards(call, schedule)
        return cls(
            direction=call.direction,
            place=place,
            world_size=schedule.world_size,
            vector_numel=call.numel,
            num_shards=num_shards,
            numel=numel,
            last_numel=last,
            num_bytes=call.compressor.message_bytes(numel),
            last_bytes=call.compressor.message_bytes(last),
            is_dense=isinstance(call.compressor, Identity),
            times=times,
        )

    @property
    def total_bytes(self) -> int:
        """The bytes of one message per shard, summed over the shards.

        In a push, these are the messages of one rank, including the message for the shard that this rank serves.
        """
        return (self.num_shards - 1) * self.num_bytes + self.last_bytes

    def own(self, rank: int) -> tuple[int, int]:
        """Return (elements, message bytes) of the shard that ``rank`` serves; (0, 0) if the rank serves none."""
        if rank >= self.num_shards:
            return 0, 0
        return (self.last_numel, self.last_bytes) if rank == self.num_shards - 1 else (self.numel, self.num_bytes)


def largest_message_bytes(schedule: Schedule) -> int:
    """Return the bytes of the largest message of a step; 0 if the step sends nothing.

    An all-reduce of n bytes among W ranks counts as messages of n ÷ W bytes.
    """
    sizes = [reduce.num_bytes // schedule.world_size for reduce in schedule.all_reduces]
    for call in schedule.calls:
        _, _, *numels = _shards(call, schedule)
        sizes += map(call.compressor.message_bytes, numels)
    return max(sizes, default=0)


def _shards(call: Call, schedule: Schedule) -> tuple[ServerPlace, int, int, int]:
    """Return (place of the server, number of shards, elements of each shard but the last, elements of the last one).

    In a gather, every rank is the server of its own vector.
    """
    if call.direction == "gather":
        return "sharded", schedule.world_size, call.numel, call.numel
    assert schedule.server is not None, "a push or a pull goes through a server"
    return schedule.server, *_shard_sizes(call.numel, schedule.world_size, schedule.server)


@functools.lru_cache(maxsize=10_000)
def _shard_sizes(numel: int, world_size: int, place: ServerPlace) -> tuple[int, int, int]:
    """Return (number of shards, elements of each shard but the last, elements of the last shard)."""
    shards = cut_shards(numel, world_size, place)
    return len(shards), shards[0].numel, shards[-1].numel
