"""Random numbers of compressors: different for every message, but the same in training and in simulations."""

import dataclasses
from itertools import count

from liecbench.compressors.base import Compressor, RngKey


class MessageRng:
    """Tracks the current message of a step, and seeds compressors for this message.

    The random numbers of a message depend on the step, the block, the number of earlier pushes and gathers of the
    block, the shard, the sender's rank, and whether the sender is a worker or a server.
    """

    def __init__(self) -> None:
        self.begin(step=0, block=0)

    def begin(self, step: int, block: int) -> None:
        """Switch to the random numbers of this ``step`` and ``block``."""
        self._key, self._stages = RngKey(step=step, block=block), count()

    def begin_push(self) -> None:
        """Switch to the random numbers of the current block's next push or gather, whose senders are workers."""
        self._key = dataclasses.replace(self._key, stage=next(self._stages), from_server=False)

    def begin_pull(self) -> None:
        """Switch to the random numbers of the pull that follows the latest push. In a pull, the senders are servers."""
        self._key = dataclasses.replace(self._key, from_server=True)

    def given_to(self, compressor: Compressor, *, shard: int, sender: int) -> Compressor:
        """Return a copy of ``compressor`` that is seeded for one message.

        Args:
            compressor: The compressor of the message. If it uses no random numbers, it is returned itself.
            shard: The rank that is the server of the message's shard; in a gather, the rank of the sender.
            sender: The rank that sends the message.
        """
        return compressor.with_rng(dataclasses.replace(self._key, shard=shard, sender=sender))
