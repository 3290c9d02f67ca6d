"""The seconds of a push, pull or gather: compressing, sending, receiving and decompressing on every rank."""

import math
from dataclasses import dataclass

from liecbench.algorithms.comm.exposure import LinkRates
from liecbench.algorithms.comm.path import Path
from liecbench.prediction.call_sizes import CallSizes
from liecbench.prediction.rank_links import Messages, RankLinks, wire_seconds
from liecbench.prediction.transport_costs import TransportCosts


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A duration: ``seconds`` in all, of which ``wire_seconds`` are transfer and ``compress_seconds`` compression."""

    seconds: float = 0.0
    wire_seconds: float = 0.0
    compress_seconds: float = 0.0

    def __add__(self, other: "Span") -> "Span":
        return Span(
            seconds=self.seconds + other.seconds,
            wire_seconds=self.wire_seconds + other.wire_seconds,
            compress_seconds=self.compress_seconds + other.compress_seconds,
        )


def call_seconds(sizes: CallSizes, links: RankLinks, costs: TransportCosts) -> Span:
    """Return the duration of a push, a pull or a gather on the slowest rank, if all ranks start together.

    ``seconds`` of the result include the barrier before the call. ``wire_seconds`` are the seconds in which the slowest
    rank's link carries messages. ``compress_seconds`` are the seconds of compressing, decompressing and adding vectors
    on that rank and, for its message, on the root server. They are cut so that ``wire_seconds`` and
    ``compress_seconds`` together are at most ``seconds``.
    """
    if sizes.world_size == 1 or not sizes.vector_numel:
        return _alone(sizes)
    # All other ranks are like one of these: they serve as large a shard over an equal link.
    ranks = {0} if sizes.place == "root" else {sizes.num_shards - 1, sizes.world_size - 1}
    spans = [_rank_seconds(sizes, rank, rates, links, costs) for rank, rates, _ in links.representatives(ranks)]
    longest = max(spans, key=lambda span: span.seconds)
    return longest + Span(seconds=_barrier_seconds(sizes, links, costs))


def _alone(sizes: CallSizes) -> Span:
    times = sizes.times
    work = (times.compress, times.accumulate) if sizes.direction == "push" else (times.compress, times.decompress)
    seconds = sum(line.seconds(sizes.vector_numel) for line in work)
    return Span(seconds=seconds, compress_seconds=seconds)


def _rank_seconds(sizes: CallSizes, rank: int, rates: LinkRates, links: RankLinks, costs: TransportCosts) -> Span:
    if sizes.place == "sharded":
        return _sharded(sizes, rank, rates, links, costs)
    return _root(sizes, rates, links, costs) if rank == 0 else _at_root(sizes, rates, links, costs)


def _sharded(sizes: CallSizes, rank: int, rates: LinkRates, links: RankLinks, costs: TransportCosts) -> Span:
    """Return the duration of a gather, or of a push or a pull through sharded servers, on ``rank``.

    The barrier before the gather, push or pull is not included. ``rates`` are the up and down rates of the rank's link.
    ``links`` has the longest one-way delay between two ranks, and the slowest rate of any link.
    """
    peers, trip = sizes.world_size - 1, links.trip_seconds
    own_numel, own_bytes = sizes.own(rank)
    to_servers = Messages(number=sizes.num_shards - bool(own_numel), num_bytes=sizes.total_bytes - own_bytes)
    to_workers = Messages(number=peers if own_numel else 0, num_bytes=peers * own_bytes)
    times, is_push, after = sizes.times, sizes.direction == "push", 0.0
    sent, received = (to_servers, to_workers) if is_push else (to_workers, to_servers)
    wire = wire_seconds(rates, sent, received, announced=costs.announces)
    if is_push:
        # A message for every shard is compressed, and every message for the own shard is added.
        each_first, handled = times.compress.seconds(sizes.numel), times.accumulate.seconds(own_numel)
        before, own = 0.0, times.compress.seconds(own_numel) + handled
    elif sizes.direction == "gather":
        each_first, handled, own = 0.0, 0.0, 0.0
        before = times.compress.seconds(own_numel)
        # All messages are added when the last has arrived.
        after = times.decompress.seconds(own_numel) + peers * times.accumulate.seconds(own_numel)
    else:
        each_first, handled = 0.0, times.decompress.seconds(sizes.numel)
        before, own = times.compress.seconds(own_numel), times.decompress.seconds(own_numel)
    compress = before + peers * (each_first + handled) + own + after
    if not costs.announces:
        return Span(
            seconds=compress + peers * costs.message_seconds + wire + trip, wire_seconds=wire, compress_seconds=compress
        )
    # Over Gloo, the rank handles one peer after the other. A peer takes the longest of three times: transfer, processor
    # work, and the wait for messages in flight.
    each_wire = wire / peers
    # The announcement of the first message travels while the message is prepared.
    start = before + max(each_first + costs.message_seconds, trip)
    in_flight = _in_flight(sizes, links, costs)
    turn = max(
        each_wire,
        each_first + costs.message_seconds + handled,
        (each_wire + trip + costs.message_seconds) / in_flight,
    )
    seconds = start + (peers - 1) * turn + max(each_wire + trip, own) + handled + after
    return Span(seconds=seconds, wire_seconds=wire, compress_seconds=min(compress, seconds - wire))


def _root(sizes: CallSizes, rates: LinkRates, links: RankLinks, costs: TransportCosts) -> Span:
    """Return the duration of a push or a pull on rank 0: the total, and the seconds of transfer and of compression.

    Rank 0 is the root server. In a push, rank 0 receives a message from each other rank. In a pull, rank 0 sends a
    message to each other rank. ``rates`` are the up and down rates of rank 0's link. ``links`` has the longest one-way
    delay between rank 0 and another rank.
    """
    peers, trip, times = sizes.world_size - 1, links.root_trip_seconds, sizes.times
    all_messages = Messages(number=peers, num_bytes=peers * sizes.num_bytes)
    none = Messages(number=0, num_bytes=0)
    if sizes.direction == "pull":
        wire = wire_seconds(rates, all_messages, none, announced=costs.announces)
        compress, last = times.compress.seconds(sizes.numel), times.decompress.seconds(sizes.numel)
        seconds = compress + max(wire + costs.message_seconds, peers * costs.message_seconds) + trip + last
        return Span(seconds=seconds, wire_seconds=wire, compress_seconds=compress + last)
    wire = wire_seconds(rates, none, all_messages, announced=costs.announces)
    compress, handled = times.compress.seconds(sizes.numel), times.accumulate.seconds(sizes.numel)
    # The worker compresses while the announcement of the server is on its way.
    waits = trip if costs.announces else 0.0
    start = max(compress + costs.message_seconds, waits)
    each_wire = wire / peers
    # As many receives are under way as their buffers fit into the bytes of one vector.
    buffers = max(1, math.ceil(4 * sizes.vector_numel / max(sizes.num_bytes, 1)))
    if buffers == 1 and costs.announces:
        turn = each_wire + 2 * trip + costs.message_seconds + handled
    else:
        cycle = each_wire + waits + trip + costs.message_seconds + handled
        turn = max(each_wire, costs.message_seconds + handled, cycle / buffers)
    seconds = start + trip + each_wire + (peers - 1) * turn + handled
    total = compress + (peers + 1) * handled
    return Span(seconds=seconds, wire_seconds=wire, compress_seconds=min(total, max(0.0, seconds - wire)))


def _at_root(sizes: CallSizes, rates: LinkRates, links: RankLinks, costs: TransportCosts) -> Span:
    """Return the duration of a push or a pull on a rank other than rank 0, which is the root server.

    In a push, the rank sends one message to rank 0. In a pull, the rank receives one message from rank 0. The duration
    includes the work of both ranks on the message. ``rates`` are the up and down rates of the rank's link. The message
    is assumed to have the longest one-way delay in ``links`` between rank 0 and another rank.
    """
    one, none = Messages(number=1, num_bytes=sizes.num_bytes), Messages(number=0, num_bytes=0)
    sent, received = (one, none) if sizes.direction == "push" else (none, one)
    wire = wire_seconds(rates, sent, received, announced=costs.announces)
    times, trip = sizes.times, links.root_trip_seconds
    last = times.accumulate if sizes.direction == "push" else times.decompress
    compress = times.compress.seconds(sizes.numel)
    waits = trip if costs.announces and sizes.direction == "push" else 0.0
    start = max(compress + costs.message_seconds, waits)
    after = last.seconds(sizes.numel)
    return Span(seconds=start + wire + trip + after, wire_seconds=wire, compress_seconds=compress + after)


def _path(links: RankLinks) -> Path:
    return Path(delay_seconds=links.trip_seconds, bytes_per_second=links.slowest_bits_per_second / 8)


def _in_flight(sizes: CallSizes, links: RankLinks, costs: TransportCosts) -> int:
    one_by_one = sizes.is_dense or _barrier_trips(sizes, links, costs) > 0
    return _path(links).sends_in_flight(sizes.num_bytes, one_by_one=one_by_one)


def _barrier_seconds(sizes: CallSizes, links: RankLinks, costs: TransportCosts) -> float:
    return _barrier_trips(sizes, links, costs) * (links.trip_seconds + costs.message_seconds)


def _barrier_trips(sizes: CallSizes, links: RankLinks, costs: TransportCosts) -> int:
    """Return the number of successive one-way trips of the barrier before a push, a pull or a gather.

    Return 0 if there is no barrier.
    """
    if not costs.announces or sizes.place != "sharded":
        return 0
    return _path(links).barrier_trips(sizes.total_bytes, sizes.world_size, is_dense=sizes.is_dense)
