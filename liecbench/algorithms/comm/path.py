"""The delay and rate of the slowest network path between any two ranks, and two choices that depend on them.

The choices are the number of messages that a rank has in flight, and whether a barrier precedes an exchange.
"""

import math
import sys
from dataclasses import dataclass
from typing import Final

# Ranks are aligned if the barrier takes at most this fraction of the transfer that follows.
_MAX_BARRIER_SHARE: Final = 0.05
# Seconds of a rank's processor per message over Gloo. Between ranks with a core each, 110 to 180 µs were measured.
GLOO_MESSAGE_SECONDS: Final = 180e-6
# Of two compressed messages, the second uses the link while a rank waits for an answer to the first, and a step took
# 0.9 times as long as with one in flight. Two dense messages, or two of aligned ranks, only slow each other down.
_COMPRESSED_IN_FLIGHT: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """The longest delay and the lowest rate of all network paths between two ranks. The values are equal on all ranks.

    Attributes:
        delay_seconds: The longest time from a byte's departure to its arrival.
        bytes_per_second: The lowest rate of a path.
        message_seconds: The processor time that a rank spends on each message.
    """

    delay_seconds: float
    bytes_per_second: float
    message_seconds: float = GLOO_MESSAGE_SECONDS

    def messages_in_flight(self, num_bytes: int) -> int:
        """Return how many messages of ``num_bytes`` must be under way to keep the path busy.

        The message that is arriving is included, so the result is at least 1.
        """
        return 1 + round(self.delay_seconds * self.bytes_per_second / max(num_bytes, 1))

    def sends_in_flight(self, num_bytes: int, *, one_by_one: bool) -> int:
        """Return the number of messages of ``num_bytes`` that a rank should have in flight in each direction.

        Args:
            num_bytes: The bytes of a message.
            one_by_one: True if the messages are uncompressed, or if a barrier has aligned the ranks. Then one message
                at a time suffices on a path without delay. If False, the result is at least 2.
        """
        return max(1 if one_by_one else _COMPRESSED_IN_FLIGHT, self.messages_in_flight(num_bytes))

    def barrier_trips(self, num_bytes: int, world_size: int, *, is_dense: bool) -> int:
        """Return the number of successive one-way trips of the barrier before an exchange; 0 if there is no barrier.

        More than 2 ranks have a barrier if its ⌈log₂ n⌉ trips take at most 5 % of the time in which ``num_bytes`` pass
        the path. For example, 4 ranks with trips of 1 ms have a barrier if ``num_bytes`` take at least 40 ms. A trip
        takes ``delay_seconds``; for compressed messages, add ``message_seconds``.

        Args:
            num_bytes: The bytes of one message of each shard, all shards together.
            world_size: The number n of ranks.
            is_dense: Whether the messages are uncompressed.
        """
        if world_size <= 2:
            return 0  # there is no other rank with which a rank could share the receiver's link
        trips = math.ceil(math.log2(world_size))
        # For dense messages a barrier may take longer, because they lose more time if ranks are not aligned.
        trip = self.delay_seconds + (0.0 if is_dense else self.message_seconds)
        return trips if trips * trip <= _MAX_BARRIER_SHARE * num_bytes / self.bytes_per_second else 0


# A path of which nothing is known. Messages are taken to need no time, so that compressed ones get no barrier.
UNKNOWN_PATH: Final = Path(delay_seconds=0.0, bytes_per_second=sys.float_info.max)
