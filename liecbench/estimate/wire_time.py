"""Estimate the seconds that a cell's links need for a step: transfer at the links' rates, and waiting for delays."""

from typing import Final

from liecbench.config.cell import Cell
from liecbench.estimate.planned_bytes import StepTraffic, traffic
from liecbench.network.goodput import slowest_stream
from liecbench.prediction.gloo_ring import GLOO_THREADS, TRIPS_PER_MESSAGE, GlooRing

_HEADERS: Final = 1.05


def wire_seconds(cell: Cell, kind: StepTraffic) -> float:
    """Return a lower bound on the seconds that the links need for one step; 0 if the links are unshaped.

    The bound is the sum of two times: the longest transfer of any rank, with headers, and the time that the delays of
    the links add.

    Args:
        cell: The cell that the step belongs to.
        kind: What each rank sends and receives in the step.
    """
    if not cell.link.shaped:
        return 0.0
    seconds = max(_rank_seconds(cell, rank, *moved) for rank, moved in enumerate(kind.ranks))
    return seconds + _waiting_seconds(cell, kind)


def wire_seconds_per_epoch(cell: Cell) -> float:
    """Return a lower bound on the seconds that the cell's links need per epoch; 0 if the links are unshaped."""
    return sum(kind.count * wire_seconds(cell, kind) for kind in traffic(cell).values()) / cell.task.epochs


def _rank_seconds(cell: Cell, rank: int, sent: int, received: int) -> float:
    up_rate, down_rate = _rates(cell, rank)
    up = 8 * _HEADERS * sent / up_rate
    down = 8 * _HEADERS * received / down_rate
    # A root server answers only after it has received every message. Sharded servers send and receive simultaneously.
    return up + down if cell.server == "root" else max(up, down)


def _rates(cell: Cell, rank: int) -> tuple[float, float]:
    """Return the bits per second (up, down) that the rank's link can carry.

    Without losses, the result is the link's two rates. Losses limit the rate of each TCP stream, so that the link may
    carry less. A rank that is a server has one stream per other rank. A rank that is no server has one stream.
    """
    link = cell.link.of(rank)
    if not any(one.loss for one in cell.link.links()):
        return link.up_bits_per_second, link.down_bits_per_second
    has_many_streams = cell.server == "sharded" or (cell.server == "root" and rank == 0)
    num_streams = max(1, cell.workers - 1) if has_many_streams else 1
    up = min(link.up_bits_per_second, num_streams * slowest_stream(cell.link, sender=link))
    return up, min(link.down_bits_per_second, num_streams * slowest_stream(cell.link, receiver=link))


def _waiting_seconds(cell: Cell, kind: StepTraffic) -> float:
    trip = _trip_seconds(cell)
    if not trip:
        return 0.0
    return max(_trips_of_messages(cell, kind) * trip, _all_reduce_seconds(cell, kind, trip))


def _trip_seconds(cell: Cell) -> float:
    """Return the delay of one message, in seconds: the delay of the sender's link plus that of the receiver's link.

    If there are servers, return the longest delay between a server and another rank, because a server waits for all
    ranks. Without servers, messages visit every rank in a ring: return twice the mean delay of a link. Return 0 if
    there is only one worker.
    """
    delays = [cell.link.of(rank).delay_seconds for rank in range(cell.workers)]
    if cell.workers < 2:
        return 0.0
    if cell.server is None:
        return 2 * sum(delays) / len(delays)
    return delays[0] + max(delays[1:]) if cell.server == "root" else sum(sorted(delays)[-2:])


def _trips_of_messages(cell: Cell, kind: StepTraffic) -> int:
    """Return the number of trips over the links in a step's longest chain of point-to-point messages.

    In a chain, each message is sent only after the previous message has arrived. A message takes one trip. Over Gloo
    with a sharded server, a message takes two trips, because the receiver first announces that it is ready.
    """
    # With a root server, the announcement has arrived when the sender starts to send.
    waits = cell.backend == "gloo" and cell.server == "sharded"
    return (TRIPS_PER_MESSAGE if waits else 1) * kind.num_sequential


def _all_reduce_seconds(cell: Cell, kind: StepTraffic, trip: float) -> float:
    """Return the seconds that the links' delays add to the all-reduces of a step.

    Over Gloo, two all-reduces run at the same time, unless one needs the result of the other.

    Args:
        cell: The cell that the step belongs to.
        kind: The all-reduces of the step.
        trip: The delay of one message from sender to receiver, in seconds.
    """
    bytes_per_second = min(min(_rates(cell, rank)) for rank in range(cell.workers)) / 8 / _HEADERS
    each, until = [], list[float]()
    for reduce in kind.all_reduces:
        if cell.backend == "nccl":
            # NCCL's ring passes 2(n − 1) messages after one another, and needs no announcements.
            each.append(2 * (cell.workers - 1) * trip)
        else:
            ring = GlooRing(num_bytes=reduce.num_bytes, world_size=cell.workers)
            each.append(ring.waiting_seconds(trip, bytes_per_second))
        until.append(each[-1] + max((until[before] for before in reduce.depends_on), default=0.0))
    num_at_once = 1 if cell.backend == "nccl" else GLOO_THREADS
    return max(sum(each) / num_at_once, *until) if each else 0.0
