"""The random numbers of messages: each message of a step has its own, the same in training and in simulations."""

import dataclasses
from itertools import count

from liecbench.compressors.base import Compressor, RngKey


class MessageRng:
    """Gives compressors the random numbers of a message.

    They depend on the step and the block, on the number of the push or gather among those of the block, on the shard,
    on the rank that sends the message, and on whether it sends it as a server.
    """

    def __init__(self) -> None:
        self.begin(step=0, block=0)

    def begin(self, step: int, block: int) -> None:
        """Count the following pushes and gathers as those of this ``step`` and ``block``."""
        self._key, self._stages = RngKey(step=step, block=block), count()

    def begin_push(self) -> None:
        """Begin a push or a gather: the next messages are those of workers."""
        self._key = dataclasses.replace(self._key, stage=next(self._stages), from_server=False)

    def begin_pull(self) -> None:
        """Begin the pull that follows the last push: the next messages are those of servers."""
        self._key = dataclasses.replace(self._key, from_server=True)

    def given_to(self, compressor: Compressor, *, shard: int, sender: int) -> Compressor:
        """Return ``compressor`` with the random numbers of one message.

        Args:
            compressor: The compressor of the message.
            shard: The owner of the message's shard; in a gather, the sender.
            sender: The rank that sends the message.
        """
        return compressor.with_rng(dataclasses.replace(self._key, shard=shard, sender=sender))
