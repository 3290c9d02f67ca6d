"""The seconds of a ring all-reduce, divided into transfer and waiting."""

from dataclasses import dataclass

from liecbench.algorithms.comm.schedule import all_reduce_bytes
from liecbench.prediction.gloo_ring import GlooRing
from liecbench.prediction.rank_links import Messages, RankLinks, wire_seconds
from liecbench.prediction.transport_costs import TransportCosts


@dataclass(frozen=True, slots=True, kw_only=True)
class RingSeconds:
    """The seconds of an all-reduce in two parts: while the slowest link transfers data, and while that link is idle."""

    wire_seconds: float
    waiting_seconds: float


def ring_seconds(num_bytes: int, links: RankLinks, costs: TransportCosts) -> RingSeconds:
    """Return the seconds of an all-reduce of ``num_bytes`` among the ranks of ``links``.

    In a ring, each of n ranks sends 2(n − 1)/n of the bytes. Over NCCL, a rank sends 2(n − 1) messages, one after the
    other. Over Gloo, each of these messages is cut into segments, of which two are under way at a time; see
    ``GlooRing``.
    """
    num_ranks = links.world_size
    if num_ranks == 1 or not num_bytes:
        return RingSeconds(wire_seconds=0.0, waiting_seconds=costs.message_seconds if num_ranks > 1 else 0.0)
    moved = all_reduce_bytes(num_bytes, num_ranks)
    ring = GlooRing(num_bytes=num_bytes, world_size=num_ranks)
    segments = 2 * (num_ranks - 1) * (ring.segments_per_chunk if costs.announces else 1)
    messages = Messages(number=segments, num_bytes=moved)
    wire = max(
        wire_seconds(rates, messages, messages, announced=costs.announces) for _, rates, _ in links.representatives()
    )
    trip = links.mean_trip_seconds + costs.segment_seconds
    if costs.announces:
        waiting = ring.waiting_seconds(trip, links.slowest_bits_per_second / 8)
    else:
        waiting = segments * trip
    return RingSeconds(wire_seconds=wire, waiting_seconds=waiting + costs.message_seconds)
