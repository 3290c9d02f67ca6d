"""The slowest network path between two ranks: how many messages keep it busy, and whether a barrier costs little."""

import math
from dataclasses import dataclass

# Ranks are aligned if the barrier takes at most this fraction of the transfer that follows.
_MAX_BARRIER_SHARE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """The slowest path between two ranks. The values are the same on all ranks.

    Attributes:
        delay_seconds: The time from a byte's departure to its arrival.
        bytes_per_second: The rate.
    """

    delay_seconds: float
    bytes_per_second: float

    def messages_in_flight(self, num_bytes: int) -> int:
        """Return how many messages of ``num_bytes`` must be under way to keep the path busy.

        The message that is arriving is included, so the result is at least 1.
        """
        return 1 + round(self.delay_seconds * self.bytes_per_second / max(num_bytes, 1))

    def affords_barrier(self, num_bytes: int, world_size: int) -> bool:
        """Return whether a barrier takes at most 5 % of the time to transfer ``num_bytes``.

        A barrier of n = ``world_size`` ranks takes ⌈log₂ n⌉ trips, one after the other.
        """
        trips = math.ceil(math.log2(world_size))
        return trips * self.delay_seconds <= _MAX_BARRIER_SHARE * num_bytes / self.bytes_per_second
