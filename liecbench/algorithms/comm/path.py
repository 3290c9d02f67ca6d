"""The slowest network path between two ranks: how many messages keep it busy, and whether a barrier costs little."""

import math
import sys
from dataclasses import dataclass
from typing import Final

# Ranks are aligned if the barrier takes at most this fraction of the transfer that follows.
_MAX_BARRIER_SHARE: Final = 0.05
# What a rank's processor needs for a message over Gloo: between two idle cores, 110 to 180 µs were measured.
MESSAGE_SECONDS: Final = 150e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """The slowest path between two ranks. The values are the same on all ranks.

    Attributes:
        delay_seconds: The time from a byte's departure to its arrival.
        bytes_per_second: The rate.
        message_seconds: The time of a rank's processor per message.
    """

    delay_seconds: float
    bytes_per_second: float
    message_seconds: float = MESSAGE_SECONDS

    def messages_in_flight(self, num_bytes: int) -> int:
        """Return how many messages of ``num_bytes`` must be under way to keep the path busy.

        The message that is arriving is included, so the result is at least 1.
        """
        return 1 + round(self.delay_seconds * self.bytes_per_second / max(num_bytes, 1))

    def barrier_trips(self, num_bytes: int, world_size: int, *, is_dense: bool) -> int:
        """Return how many one-way trips, one after the other, a barrier before an exchange takes; 0 for no barrier.

        A barrier of n = ``world_size`` ranks takes ⌈log₂ n⌉ trips. There is one if n > 2, and if it takes at most 5 %
        of the time of the transfer. A trip takes the path's delay and, if messages are compressed, the processor's time
        for a message. Dense messages lose more time if ranks are not aligned.

        Args:
            num_bytes: Bytes of the exchange's messages: one message per shard.
            world_size: Number of ranks.
            is_dense: Whether the messages are uncompressed.
        """
        if world_size <= 2:
            return 0  # there is no other rank with which a rank could share the receiver's link
        trips = math.ceil(math.log2(world_size))
        trip = self.delay_seconds + (0.0 if is_dense else self.message_seconds)
        return trips if trips * trip <= _MAX_BARRIER_SHARE * num_bytes / self.bytes_per_second else 0


# A path of which nothing is known: messages are sent as if there were no delay, and take no time that affords anything.
UNKNOWN_PATH: Final = Path(delay_seconds=0.0, bytes_per_second=sys.float_info.max)
