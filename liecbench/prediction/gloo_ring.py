"""The time that Gloo's all-reduce waits because the links have a delay."""

import math
from dataclasses import dataclass
from typing import Final

# Gloo sends data only when the receiver has announced that it is ready to receive them (the opcode NOTIFY_RECV_READY of
# gloo/transport/tcp/pair.cc). Ranks in step receive and send at the same time, so that the announcement travels first,
# and then the data.
TRIPS_PER_MESSAGE: Final = 2
# torch runs the collectives of a Gloo group on two threads.
GLOO_THREADS: Final = 2
# gloo/allreduce.h, and gloo/allreduce.cc.
_MAX_SEGMENT_BYTES, _MIN_SEGMENTS, _IN_FLIGHT, _PHASES = 2**20, 2, 2, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class GlooRing:
    """Gloo's all-reduce of one tensor in a ring of ranks.

    The tensor is cut into one chunk per rank, and a chunk into two or more segments of at most 1 MiB. The all-reduce
    has two phases: reduce-scatter and all-gather. In each phase, a rank sends ``world_size`` − 1 chunks to the next
    rank, in pairs of segments. Before each pair, the receiver announces that it is ready.

    Attributes:
        num_bytes: The bytes of the tensor.
        world_size: The number of ranks, two or more.
    """

    num_bytes: int
    world_size: int

    @property
    def segments_per_chunk(self) -> int:
        """The number of segments, at least 2, of each chunk. The tensor has one chunk per rank."""
        return max(_MIN_SEGMENTS, math.ceil(math.ceil(self.num_bytes / _MAX_SEGMENT_BYTES) / self.world_size))

    @property
    def _pairs_per_phase(self) -> int:
        return math.ceil(self.segments_per_chunk * (self.world_size - 1) / _IN_FLIGHT)

    def waiting_seconds(self, trip_seconds: float, bytes_per_second: float) -> float:
        """Return the seconds that the links' delays add to the transfer time of the all-reduce.

        In each of two phases, segments are sent in pairs (see ``GlooRing``). If a trip takes 10 ms, a phase's first
        pair adds 20 ms: 10 ms for the receiver's announcement and 10 ms for the data. Every later pair adds 20 ms minus
        the transfer time of one segment, but at least 10 ms.

        Args:
            trip_seconds: The seconds that a message without bytes takes from one rank to another, one way.
            bytes_per_second: The rate of the slowest link.
        """
        segment_seconds = self.num_bytes / (self.segments_per_chunk * self.world_size) / bytes_per_second
        pair = TRIPS_PER_MESSAGE * trip_seconds
        # The transfer of the previous pair's second segment hides at most one trip: the announcement queues on the
        # receiver's link, behind a segment that the receiver sends to its other neighbour.
        return _PHASES * (pair + (self._pairs_per_phase - 1) * max(trip_seconds, pair - segment_seconds))
