"""The compressors of the messages of one push, pull or gather: one per shard, seeded for its message."""

from collections.abc import Mapping, Sequence

from liecbench.algorithms.comm.message_rng import MessageRng
from liecbench.algorithms.comm.partition import Shard
from liecbench.compressors.base import Compressor


class ShardCompressors:
    """Makes the compressors of messages, with the random numbers of the current push, pull or gather.

    Args:
        rank: The rank that sends and receives the messages.
    """

    def __init__(self, rank: int) -> None:
        self._rank, self.rng = rank, MessageRng()

    def of(self, compressor: Compressor, shards: Sequence[Shard]) -> dict[Shard, Compressor]:
        """Return, for each shard, the compressor of this rank's message.

        Each shard has a copy of ``compressor``, seeded for the shard's message in the current push or pull. If
        ``compressor`` uses no random numbers, every shard has ``compressor`` itself.
        """
        return {s: self.rng.given_to(compressor, shard=s.owner, sender=self._rank) for s in shards}

    def decoder(self, compressor: Compressor, shard: Shard, sender: int) -> Compressor:
        """Return the compressor with which this rank decodes the messages of rank ``sender``.

        If decoding needs the random numbers of ``sender``, the returned compressor has these. Otherwise, ``compressor``
        is returned.
        """
        if not compressor.decodes_by_sender:
            return compressor
        return self.rng.given_to(compressor, shard=shard.owner, sender=sender)


def total_message_bytes(compressors: Mapping[Shard, Compressor]) -> int:
    """Return the total bytes of all shards' messages. ``compressors`` has the compressor of each shard's message."""
    return sum(compressor.message_bytes(shard.numel) for shard, compressor in compressors.items())
