"""Where the server lives.

A vector is cut into shards; each has an owner that is its server. ``root`` is one shard that rank 0 owns; ``sharded``
is one shard a rank, so that every rank moves 2(n − 1)/n of the compressed bytes whatever n is.
"""

from dataclasses import dataclass
from typing import Literal

from liecbench.compressors.base import Compressor

ServerPlace = Literal["root", "sharded"]
_ALIGNMENT = 8


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
    if server == "root" or numel == 0:
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
