"""Compute when frames arrive over emulated links, which have a rate, delay, jitter and loss.

Every worker has a link to the hub, with an up and a down direction. A frame passes the sender's up link and then the
receiver's down link. Its first bytes enter the down link while its last bytes are still on the up link (cut-through).
This module only computes times; ``delay_line`` moves the frames.
"""

import heapq
import itertools
import math
from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from liecbench.network.link_direction import LinkDirection

_NEVER: Final = math.inf


class _Part(NamedTuple):
    """A part of a frame on its way to the down link of ``destination``.

    Attributes:
        at: The time at which the part's first byte reaches the down link, in seconds.
        number: The part's number. Of two parts with equal ``at``, the part with the lower number goes first.
        last: The time at which the part's last byte reaches the down link, in seconds.
        source: The rank of the sender. If the hub sends, the number of links.
        destination: The rank of the receiver. If the hub receives, the number of links.
        frame: The frame, in the frame's last part. None in earlier parts, and in all parts if the frame gets lost.
        num_bytes: The wire bytes of the part.
    """

    at: float
    number: int
    last: float
    source: int
    destination: int
    frame: bytes | None
    num_bytes: int


class _Arrival(NamedTuple):
    """A frame that arrives at ``destination`` at time ``at``, in seconds.

    Of two frames with equal ``at``, the frame with the lower ``number`` arrives first.
    """

    at: float
    number: int
    destination: int
    frame: bytes


class FrameSchedule:
    """The links of all workers, and the frames that are on them.

    Each link joins one worker to the hub. A frame goes up the link of its source and down the link of its destination.
    The source and the destination are given as the worker's rank, or as ``num_links`` for the hub, which has no link.
    A large frame goes down in parts, between which frames of other senders can pass.

    Args:
        num_links: The number of links, one per worker.
    """

    def __init__(self, num_links: int) -> None:
        self.up = [LinkDirection(f"up {rank}") for rank in range(num_links + 1)]
        self.down = [LinkDirection(f"down {rank}") for rank in range(num_links + 1)]
        # Frames go down in parts, because a large frame stands for many segments. If it went down as a whole, a small
        # message would wait for all of it: with messages of 18 kB at 20 Mbit/s, steps took up to 1.2 times as long.
        # Events at the same time happen in the order of their numbers.
        self._parts: list[_Part] = []
        self._arrivals: list[_Arrival] = []
        self._numbers = itertools.count()
        # When the last bytes of the frames in ``_parts`` reach their down links.
        self._ends: list[float] = []
        # When the last part of a frame began to reach the down link, for each pair of sender and receiver.
        self._reached: dict[tuple[int, int], float] = {}
        self._latest: dict[tuple[int, int], float] = {}

    @property
    def next_time(self) -> float:
        """The earliest time at which a frame may arrive; infinite if no frame is on a link."""
        arrival = self._arrivals[0].at if self._arrivals else _NEVER
        return min(arrival, self._ends[0] if self._ends else _NEVER)

    def enter(self, at: float, source: int, destination: int, frame: bytes) -> None:
        """Put a frame on the up link of ``source``, from which it passes to the down link of ``destination``.

        The frame reaches the up link at the time ``at``, in seconds.
        """
        self.broadcast(at, source, (destination,), frame)

    def broadcast(self, at: float, source: int, destinations: Collection[int], frame: bytes) -> None:
        """Put a frame on the up link of ``source``, from which it passes to the down link of each destination.

        The frame passes the up link only once. The frame reaches the up link at the time ``at``, in seconds.
        """
        up = self.up[source]
        for piece, num_bytes, is_lost in up.pieces(frame):
            first, last = up.carry(at, at, num_bytes)
            for destination in () if is_lost else destinations:
                self._approach(first, last, source, destination, piece)

    def due(self, now: float) -> Iterator[tuple[float, int, bytes]]:
        """Yield (time, destination, frame) for each frame that has arrived by time ``now``, in order of arrival."""
        while self._parts and self._parts[0].at <= now:
            self._go_down(heapq.heappop(self._parts))
        while self._ends and self._ends[0] <= now:
            heapq.heappop(self._ends)
        while self._arrivals and self._arrivals[0].at <= now:
            arrival = heapq.heappop(self._arrivals)
            yield arrival.at, arrival.destination, arrival.frame

    def flush(self) -> Iterator[tuple[float, int, bytes]]:
        """Yield (arrival time, destination, frame) for each frame that has yet to arrive, in order of arrival.

        Arrival times are in seconds, on the clock of the times that callers pass to ``enter``. Some may lie in the
        future. Once all frames are yielded, the links are free: a frame that enters later does not wait.
        """
        yield from self.due(_NEVER)
        self._latest.clear()
        self._reached.clear()
        for direction in (*self.up, *self.down):
            direction.forget()

    def _approach(self, first: float, last: float, source: int, destination: int, frame: bytes) -> None:
        """Schedule the times at which the parts of a frame reach the down link of ``destination``.

        The parts are spread evenly over the time from ``first`` to ``last``. But no part reaches the down link before
        the last part of an earlier frame from ``source`` to ``destination``: frames do not overtake each other.

        Args:
            first: The time, in seconds, at which the frame's first byte leaves the up link of ``source``.
            last: The time, in seconds, at which the frame's last byte leaves the up link.
            source: The rank of the sender. If the hub sends, the number of links.
            destination: The rank of the receiver. If the hub receives, the number of links.
            frame: The frame.
        """
        down = self.down[destination]
        pieces = down.pieces(frame)
        total = sum(num_bytes for _, num_bytes, _ in pieces)
        # With jitter, the frame before it may reach the link later. The order of a sender's frames must stay.
        at = max(first, self._reached.get((source, destination), 0.0))
        seconds_per_byte = max(0.0, last - at) / total
        for piece, num_bytes, is_lost in pieces:
            for size in down.parts(num_bytes):
                num_bytes -= size
                whole = None if num_bytes or is_lost else piece
                until = at + size * seconds_per_byte
                heapq.heappush(self._parts, _Part(at, next(self._numbers), until, source, destination, whole, size))
                self._reached[source, destination] = at
                if whole is not None:
                    heapq.heappush(self._ends, until)
                at = until

    def _go_down(self, part: _Part) -> None:
        _, last = self.down[part.destination].carry(part.at, part.last, part.num_bytes)
        if part.frame is not None:
            # Jitter must not change the order of the frames from one sender to one receiver.
            pair = part.source, part.destination
            self._latest[pair] = last = max(last, self._latest.get(pair, 0.0))
            heapq.heappush(self._arrivals, _Arrival(last, next(self._numbers), part.destination, part.frame))
